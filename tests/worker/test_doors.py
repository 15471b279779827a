"""A door: what is known of all requests that come through it."""

import socket

import pytest

from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.terms import Terms
from prefork.worker.doors import Door


@pytest.mark.parametrize(
    ("family", "host", "name"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "[::1]"),  # RFC 3875 4.1.14
    ],
)
def test_a_server_is_named_as_in_a_url(
    family: socket.AddressFamily, host: str, name: str
) -> None:
    with socket.socket(family) as listener:
        listener.bind((host, 0))
        listener.listen()
        door = Door(listener, "http", Terms(), TrustedPeers([]))
        conversation = door.language.converse({"REMOTE_ADDR": ""})
        request = conversation.feed(b"GET / HTTP/1.0\r\n\r\n")
        assert request
        assert request.variables["SERVER_NAME"] == name
        port = listener.getsockname()[1]
        assert request.variables["SERVER_PORT"] == str(port)
