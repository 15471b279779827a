"""Queues: how many connections wait at a listening socket to be accepted."""

import os
import socket
import struct
import sys

from prefork.system.netlink import ask_for_one

ANY = 0xFFFFFFFF  # any state; as the two words of a cookie: it is not compared
UDIAG_SHOW_RQLEN = 0x10  # linux/unix_diag.h
UNIX_DIAG_RQLEN = 4

_REQUEST = struct.Struct("=BBHIIIII")  # struct unix_diag_req
_ANSWER_SIZE = 16  # struct unix_diag_msg
_ATTRIBUTE = struct.Struct("=HH")  # struct nlattr: length, type


def read_queue(listener: socket.socket) -> int | None:
    """How many connections wait to be accepted; None where nobody tells."""
    try:
        if listener.family in (socket.AF_INET, socket.AF_INET6):
            return _read_tcp(listener)
        return _read_unix(listener)
    except OSError:  # no descriptor left, or a sandbox without netlink
        return None


def _read_tcp(listener: socket.socket) -> int:
    # linux/tcp.h: of a listener, tcpi_unacked (byte 24) is the length of the queue.
    information = listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
    return int.from_bytes(information[24:28], sys.byteorder)


def _read_unix(listener: socket.socket) -> int | None:
    """Ask the kernel by sock_diag(7): no privilege is needed; 0.05 ms."""
    inode = os.fstat(listener.fileno()).st_ino
    request = _REQUEST.pack(
        socket.AF_UNIX, 0, 0, ANY, inode & ANY, UDIAG_SHOW_RQLEN, ANY, ANY
    )
    for answer in ask_for_one(request):
        return _find_queue(answer)
    return None


def _find_queue(data: bytes) -> int | None:
    place = _ANSWER_SIZE
    while place < len(data):
        size, attribute = _ATTRIBUTE.unpack_from(data, place)
        if attribute == UNIX_DIAG_RQLEN:
            first = data[place + _ATTRIBUTE.size :][:4]
            return int.from_bytes(first, sys.byteorder)
        place += size + -size % 4
    return None
