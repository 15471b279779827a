"""prefork.system.socketfile: the file of a unix socket."""

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.errors import SystemRefusal
from prefork.system.socketfile import bind_file, remove


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)  # tmp_path may be longer than a socket's path can be
    return "app.sock"


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        yield sock


def leave_stale(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as gone:
        gone.bind(path)
        gone.listen()


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666, 0o777])
def test_the_file_has_its_mode_and_the_process_its_umask(
    path: str, sock: socket.socket, mode: int
) -> None:
    before = os.umask(0o027)
    try:
        bind_file(sock, path, mode=mode)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(path).st_mode) == mode


class Watched(socket.socket):
    """A socket that looks at its file the moment that bind() returns."""

    born = 0

    def bind(self, address: str) -> None:
        super().bind(address)
        self.born = stat.S_IMODE(os.stat(address).st_mode)


def test_the_file_is_never_more_open_than_wanted(path: str) -> None:
    with Watched(socket.AF_UNIX) as sock:
        bind_file(sock, path, mode=0o600)
        assert sock.born == 0o600


def test_replaces_a_stale_file(path: str, sock: socket.socket) -> None:
    leave_stale(path)
    stale = os.stat(path)
    identity = bind_file(sock, path, mode=0o600)
    here = os.stat(path)
    assert identity == (here.st_dev, here.st_ino)
    assert (here.st_ino, here.st_ctime_ns) != (stale.st_ino, stale.st_ctime_ns)


def test_never_replaces_a_live_one(path: str, sock: socket.socket) -> None:
    with (
        socket.socket(socket.AF_UNIX) as other,
        socket.socket(socket.AF_UNIX) as client,
    ):
        other.bind(path)
        other.listen()
        with pytest.raises(OSError, match="already in use"):
            bind_file(sock, path, mode=0o600)
        client.connect(path)


def test_a_full_queue_is_alive(path: str, sock: socket.socket) -> None:
    with (
        socket.socket(socket.AF_UNIX) as other,
        socket.socket(socket.AF_UNIX) as client,
    ):
        other.bind(path)
        other.listen(0)
        client.connect(path)
        with pytest.raises(OSError, match="already in use"):
            bind_file(sock, path, mode=0o600)


def test_a_socket_of_another_type_is_alive(path: str, sock: socket.socket) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        with pytest.raises(OSError, match="already in use"):
            bind_file(sock, path, mode=0o600)


@pytest.mark.parametrize("what", ["file", "directory", "link", "dangling link"])
def test_never_removes_what_is_no_socket(
    path: str, sock: socket.socket, what: str
) -> None:
    if what == "file":
        Path(path).write_text("dear")
    elif what == "directory":
        os.mkdir(path)
    else:
        os.symlink("target", path)
        if what == "link":
            leave_stale("target")
    before = os.lstat(path)
    with pytest.raises(SystemRefusal, match=r"no socket is in the way \(remove it"):
        bind_file(sock, path, mode=0o600)
    assert os.path.samestat(before, os.lstat(path))


def test_removes_only_the_file_that_it_knows(path: str, sock: socket.socket) -> None:
    identity = bind_file(sock, path, mode=0o600)
    os.rename(path, "ours")
    leave_stale(path)  # a successor's
    assert not remove(path, identity)
    assert not remove(path, None)
    assert os.path.exists(path)
    assert remove("ours", identity)
    assert not os.path.exists("ours")
    assert not remove("ours", identity)
