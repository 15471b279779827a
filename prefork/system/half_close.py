"""Half-close: whether a client of this machine that sends no more has left.

A TCP client that closes, and one that only has nothing more to send, look alike on the
wire.  But a socket that is closed belongs to nobody, and has no inode any more
(proc_net(5)).
"""

import socket
import struct
import time

MOMENT = 0.01  # seconds: the FIN leaves before the socket is let go
LOCAL, REMOTE, INODE = 1, 2, 9  # columns of the tables


def has_left(connection: socket.socket) -> bool:
    """Has the peer, which has sent its FIN, closed its socket?

    False too if it is on another machine, or if /proc does not show.
    """
    try:
        own, peer = connection.getsockname(), connection.getpeername()
        if own[0] != peer[0]:
            return False
        time.sleep(MOMENT)
        return _is_closed(_format(peer), _format(own))
    except OSError:
        return False


def _is_closed(local: str, remote: str) -> bool:
    """Is the socket with these two addresses, as they are listed, nobody's?"""
    is_v6 = len(local) > len("0100007F:1F90")
    with open(f"/proc/self/net/{'tcp6' if is_v6 else 'tcp'}") as table:
        rows = (line.split() for line in table)
        ours = (row for row in rows if row[LOCAL : REMOTE + 1] == [local, remote])
        return any(row[INODE] == "0" for row in ours)


def _format(address: tuple[str, int]) -> str:
    """An address as it is listed: words of four bytes, each in the machine's order."""
    host = address[0].removeprefix("::ffff:")  # IPv4, where IPv6 is listened to
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    words = struct.iter_unpack("=I", socket.inet_pton(family, host))
    return f"{''.join(f'{word:08X}' for (word,) in words)}:{address[1]:04X}"
