"""Clients of this machine that close, and those that only stop to send."""

import select
import socket
from collections.abc import Iterator

import pytest

from prefork.system.half_close import has_left

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture(params=["127.0.0.1", "::1", "::"])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    """A client, and what was accepted; the last one listens to IPv4 as well."""
    host = request.param
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server(
            (host, 0), family=family, dualstack_ipv6=host == "::"
        )
    except (OSError, ValueError):
        pytest.skip("no IPv6 here")
    where = "127.0.0.1" if host == "::" else host
    with listener, socket.create_connection((where, listener.getsockname()[1])) as ours:
        theirs, _ = listener.accept()
        with theirs:
            yield ours, theirs


def test_who_closes_has_left(pair: Pair) -> None:
    client, accepted = pair
    client.close()
    assert select.select([accepted], [], [], 10)[0]
    assert has_left(accepted)


def test_who_only_stops_to_send_has_not(pair: Pair) -> None:
    client, accepted = pair
    client.shutdown(socket.SHUT_WR)
    assert select.select([accepted], [], [], 10)[0]
    assert not has_left(accepted)
