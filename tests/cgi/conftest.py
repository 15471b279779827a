"""A directory of CGI programs, and prefork-cgi that serves it."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import Server

Write = Callable[..., Path]
Serve = Callable[..., Server]


@pytest.fixture
def site(tmp_path: Path) -> Path:
    site = tmp_path / "cgi-bin"
    site.mkdir()
    return site


@pytest.fixture
def sh(site: Path) -> Write:
    """Writes a program for the shell: sh(NAME, TEXT)."""

    def write(name: str, text: str) -> Path:
        return _write(site / name, f"#!/bin/sh\n{text}\n")

    return write


@pytest.fixture
def python(site: Path) -> Write:
    """Writes one for Python: python(NAME, TEXT)."""

    def write(name: str, text: str) -> Path:
        return _write(site / name, f"#!{sys.executable} -IS\nimport os, sys\n{text}\n")

    return write


@pytest.fixture
def serve(server: Server, site: Path) -> Serve:
    """Starts prefork-cgi for that directory, or for something else."""

    def start(*arguments: str, app: str = str(site), **more: object) -> Server:
        return server.start(*arguments, app=app, program="prefork.cli.cgi", **more)  # type: ignore[arg-type]

    return start


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path
