"""--strict: what may be removed to make room for a socket, and what may not."""

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from prefork.errors import ConfigError
from prefork.spawn.strict import allow, check_place, refuse


@pytest.fixture
def sockets() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def bind(path: Path, kind: int = socket.SOCK_STREAM) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind(str(path))
    return sock


def test_nothing_may_be_there(tmp_path: Path) -> None:
    check_place(str(tmp_path / "s"))


def test_a_socket_that_was_left_behind_may(tmp_path: Path) -> None:
    bind(tmp_path / "s").close()
    check_place(str(tmp_path / "s"))


def test_a_server_may_since_it_is_told_of_as_usual(
    tmp_path: Path, sockets: ExitStack
) -> None:
    sockets.enter_context(bind(tmp_path / "s")).listen(1)
    check_place(str(tmp_path / "s"))


@pytest.mark.parametrize("kind", ["file", "directory", "link", "fifo"])
def test_what_is_no_socket_may_not(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "s"
    match kind:
        case "file":
            path.touch()
        case "directory":
            path.mkdir()
        case "link":
            path.symlink_to(tmp_path / "elsewhere")
        case "fifo":
            os.mkfifo(path)
    with pytest.raises(ConfigError, match="no socket"):
        check_place(str(path))


def test_a_server_with_a_full_queue_may_not_and_is_not_waited_for(
    tmp_path: Path, sockets: ExitStack
) -> None:
    sockets.enter_context(bind(tmp_path / "s")).listen(0)
    client = sockets.enter_context(socket.socket(socket.AF_UNIX))
    client.connect(str(tmp_path / "s"))
    with pytest.raises(ConfigError, match="may be in use"):
        check_place(str(tmp_path / "s"))


def test_a_socket_of_another_kind_may_not(tmp_path: Path, sockets: ExitStack) -> None:
    sockets.enter_context(bind(tmp_path / "s", socket.SOCK_DGRAM))
    with pytest.raises(ConfigError, match="may be in use"):
        check_place(str(tmp_path / "s"))


def test_a_doubt_is_refused_or_allowed() -> None:
    allow("this")
    with pytest.raises(ConfigError, match=r"this \(--strict\)"):
        refuse("this")
