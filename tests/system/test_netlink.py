"""prefork.system.netlink: what the kernel tells of sockets."""

import socket
import struct

import pytest

from prefork.system.netlink import ask_for_all, ask_for_one

LISTENING = 1 << 10


def test_all_that_fit_are_told_of_one_by_one() -> None:
    here = ("127.0.0.1", 0)
    with socket.create_server(here) as one, socket.create_server(here) as other:
        request = struct.pack("=BBBxI48x", socket.AF_INET, 6, 0, LISTENING)
        answers = [*ask_for_all(request)]
        ports = {int.from_bytes(answer[4:6], "big") for answer in answers}
        assert {one.getsockname()[1], other.getsockname()[1]} <= ports


def test_a_refusal_is_an_error() -> None:
    request = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, 0, 2**32 - 7, 0, 0, 0)
    with pytest.raises(FileNotFoundError):
        list(ask_for_one(request))
