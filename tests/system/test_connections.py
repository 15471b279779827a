"""prefork.system.connections: asked about this very process."""

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from prefork.system import netlink
from prefork.system.connections import has_connections


def unix(directory: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(directory / "a socket"))
    return listener


def abstract(directory: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(f"\0prefork-test-{os.getpid()}")
    return listener


def tcp(directory: Path) -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))


def tcp6(directory: Path) -> socket.socket:
    try:
        return socket.create_server(("::1", 0), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 here")


@pytest.fixture(params=[unix, abstract, tcp, tcp6])
def listener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    make: Callable[[Path], socket.socket] = request.param
    with make(tmp_path) as listener:
        listener.listen()
        yield listener


def test_one_that_was_accepted_is_seen_until_it_is_closed(
    listener: socket.socket,
) -> None:
    client = socket.socket(listener.family)
    with client:
        client.connect(listener.getsockname())
        assert not has_connections(os.getpid(), listener)  # it waits in the queue
        accepted, _ = listener.accept()
        assert has_connections(os.getpid(), listener)
        accepted.close()
        assert not has_connections(os.getpid(), listener)


def test_it_is_seen_where_netlink_is_forbidden_too(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(netlink, "NETLINK_SOCK_DIAG", 9999)
    with socket.socket(listener.family) as client:
        client.connect(listener.getsockname())
        assert not has_connections(os.getpid(), listener)
        accepted, _ = listener.accept()
        with accepted:
            assert has_connections(os.getpid(), listener)


def test_one_whose_client_has_left_is_seen(listener: socket.socket) -> None:
    client = socket.socket(listener.family)
    client.connect(listener.getsockname())
    accepted, _ = listener.accept()
    client.close()
    with accepted:
        assert has_connections(os.getpid(), listener)


def test_others_are_not_counted(listener: socket.socket) -> None:
    one, other = socket.socketpair()
    with one, other, socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname())
        accepted, _ = server.accept()
        assert not has_connections(os.getpid(), listener)
        client.close()
        accepted.close()


def test_of_a_process_that_is_gone_nothing_is_told(listener: socket.socket) -> None:
    assert not has_connections(2**22 + 1, listener)
