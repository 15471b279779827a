"""What a template inherits and opens by itself is no hazard of the application's."""

import socket

import pytest
from serving import Server

pytestmark = pytest.mark.process


def test_a_log_that_goes_to_a_socket_does_not_end_preloading(server: Server) -> None:
    """As under systemd, where stdout and stderr are connections to the journal."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        server.start("-w", "1", stdout=theirs)
    assert "unsafe preload" not in server.log
