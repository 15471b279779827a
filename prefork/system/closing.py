"""Closing a listener to newcomers: those who are queued are still accepted."""

import array
import socket
import struct

from prefork.system.listen import Listener
from prefork.system.socketfile import remove

SO_ATTACH_FILTER = 26  # asm-generic/socket.h; the socket module has no name for it
IP_MINTTL = 21  # ip(7)
IPV6_MINHOPCOUNT = 73  # linux/in6.h

# A classic BPF program (socket(7)); the packet begins with its TCP header.  Lost is
# a SYN without ACK, a first word; the ACK that ends a handshake goes through, as do
# the bytes of those who are queued.  (code, jump if true, if false, operand)
FIRST_WORDS_ARE_LOST = (
    (0x30, 0, 0, 13),  # load the byte of flags (RFC 9293, section 3.1)
    (0x54, 0, 0, 0x12),  # keep ACK and SYN
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then drop
    (0x06, 0, 0, 0xFFFFFFFF),  # else let all of it through
)


def close_door(listener: Listener) -> None:
    """Let no newcomer in; whoever is queued can still be accepted.

    It closes the door for every process that shares the socket.  A newcomer on TCP
    waits: its SYN is lost, and sent again a second later, to whoever listens by
    then, or to a refusal.  On a unix socket it is refused at once, and the socket
    polls readable from now on: accept until there is nobody, then stop watching.
    """
    if listener.is_inherited:
        return
    if listener.socket.family == socket.AF_UNIX:
        remove(listener.address.path, listener.identity)
        listener.socket.shutdown(socket.SHUT_RD)
        return
    try:
        _drop_first_words(listener.socket)
    except OSError:
        _drop_what_came_far(listener.socket)


def _drop_first_words(sock: socket.socket) -> None:
    code = b"".join(struct.pack("=HBBI", *line) for line in FIRST_WORDS_ARE_LOST)
    memory = array.array("B", code)  # an array knows its address, as bytes do not
    program = struct.pack("@HP", len(FIRST_WORDS_ARE_LOST), memory.buffer_info()[0])
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def _drop_what_came_far(sock: socket.socket) -> None:
    # For those who may not attach a filter: Linux 6.18 wants CAP_NET_ADMIN for TCP.
    # No packet that could be a newcomer's has 255 hops to go; most systems start at
    # 64 or 128, loopback included.  Better than listen(0), which goes on answering
    # newcomers, to reset them at the close.  Connections that are queued keep their
    # own limit; one whose handshake ends only now inherits this, and hears nothing
    # until whoever accepts it sets it back to 0.
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, IPV6_MINHOPCOUNT, 255)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_MINTTL, 255)
