"""Listeners that a crashed server has left: found by where they listen."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.system import listen
from prefork.system.address import parse_bind
from prefork.system.listen import Listener, open_listener, recover


@pytest.fixture
def left(tmp_path: Path) -> Iterator[list[socket.socket]]:
    """One of each kind; their server is gone, without having closed them."""
    listeners = [open_listener(parse_bind(bind)) for bind in binds(tmp_path)]
    left = [each.socket for each in listeners]
    yield left
    for each in listeners:
        listen.close(each)


def binds(directory: Path) -> list[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    abstract = f"unix:@prefork-test-{os.getpid()}-left"
    return [f"127.0.0.1:{port}", f"unix:{directory}/socket", abstract]


def found(left: list[socket.socket], where: str) -> Listener | None:
    return recover(parse_bind(where), left)


def test_each_is_found_by_its_address(left: list[socket.socket]) -> None:
    for sock in list(left):
        name = Listener(parse_bind("127.0.0.1:0"), sock).name
        listener = found(left, name)
        assert listener is not None
        assert listener.socket is sock
        assert not listener.is_inherited
        assert listener.name == name
    assert left == []


def test_whoever_waits_in_its_queue_is_answered(left: list[socket.socket]) -> None:
    with socket.create_connection(left[0].getsockname()):
        listener = found(left, Listener(parse_bind("127.0.0.1:0"), left[0]).name)
        assert listener is not None
        listener.socket.accept()[0].close()


def test_its_file_is_removed_in_the_end_like_any_other(
    left: list[socket.socket], tmp_path: Path
) -> None:
    listener = found(left, f"unix:{tmp_path}/socket")
    assert listener is not None
    listen.close(listener)
    assert not (tmp_path / "socket").exists()


def test_one_whose_file_is_gone_is_of_no_use(
    left: list[socket.socket], tmp_path: Path
) -> None:
    (tmp_path / "socket").unlink()
    assert found(left, f"unix:{tmp_path}/socket") is None
    assert len(left) == 3


@pytest.mark.parametrize("where", ["127.0.0.1:0", "unix:elsewhere", "fd://3"])
def test_others_stay_where_they_are(left: list[socket.socket], where: str) -> None:
    assert found(left, where) is None
    assert len(left) == 3
