"""Fixtures for process tests: a server, and what a failing test should show."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server


@pytest.fixture
def server(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server to start(); killed afterwards, and it must leave nothing behind."""
    server = Server(tmp_path)
    yield server
    left = server.clean_up()
    if server.log_path.exists():
        print(f"--- {server.log_path} ---\n{server.log}")
    assert not left, f"left behind: {left}"
