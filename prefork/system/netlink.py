"""What the kernel tells of sockets: sock_diag(7), asked as ss(8) does."""

import os
import socket
import struct
from collections.abc import Iterator

NETLINK_SOCK_DIAG = 4  # linux/netlink.h
NLMSG_ERROR, NLMSG_DONE = 2, 3
NLM_F_REQUEST, NLM_F_DUMP = 1, 0x300
SOCK_DIAG_BY_FAMILY = 20  # linux/sock_diag.h
ROOM = 1 << 16  # bytes; the kernel's answers have 32 KiB at most

_HEADER = struct.Struct("=IHHII")  # struct nlmsghdr: length, type, flags, number, pid


def ask_for_one(request: bytes) -> Iterator[bytes]:
    """What the kernel says of one socket; OSError if that is nothing."""
    return _ask(request, NLM_F_REQUEST)


def ask_for_all(request: bytes) -> Iterator[bytes]:
    """What it says of each that fits, one at a time; OSError."""
    return _ask(request, NLM_F_REQUEST | NLM_F_DUMP)


def _ask(request: bytes, flags: int) -> Iterator[bytes]:
    size = _HEADER.size + len(request)
    header = _HEADER.pack(size, SOCK_DIAG_BY_FAMILY, flags, 0, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as kernel:
        kernel.send(header + request)
        yield from _read_answers(kernel, is_dump=bool(flags & NLM_F_DUMP))


def _read_answers(kernel: socket.socket, *, is_dump: bool) -> Iterator[bytes]:
    """One answer; of a dump all, until it says that it is done."""
    is_more = True
    while is_more:
        # The kernel has answered before send() returns, and goes on in recv().
        answer = kernel.recv(ROOM, socket.MSG_DONTWAIT)
        for kind, content in _split(answer):
            if kind == SOCK_DIAG_BY_FAMILY:
                yield content
            elif kind == NLMSG_ERROR:
                raise _read_error(content)
        is_more = is_dump and kind != NLMSG_DONE


def _split(answer: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the content of each message."""
    place = 0
    while place < len(answer):
        length, kind, *_ = _HEADER.unpack_from(answer, place)
        yield kind, answer[place + _HEADER.size : place + length]
        place += length + -length % 4


def _read_error(content: bytes) -> OSError:
    (code,) = struct.unpack_from("=i", content)
    return OSError(-code, os.strerror(-code))
