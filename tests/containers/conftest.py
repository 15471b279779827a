"""Containers, which take namespaces: without these the tests skip, but not in CI."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from serving.container import Container, why_not

why_not = cache(why_not)


@pytest.fixture
def container(tmp_path: Path) -> Iterator[Container]:
    """A server to start() as the first process of a container; killed afterwards."""
    if reason := why_not():
        pytest.skip(f"no container here: {reason}")
    container = Container(tmp_path)
    yield container
    left = container.clean_up()
    if container.log_path.exists():
        print(f"--- {container.log_path} ---\n{container.log}")
    assert not left, f"left behind: {left}"
