"""Lines to the local syslog, over its datagram socket; never waits."""

import os
import socket
import time
from collections.abc import Callable

from prefork.monitor.times import format_syslog

USER_INFO = 1 * 8 + 6  # RFC 3164, 4.1.1: facility * 8 + severity


class SyslogSink:
    """Sends each line as one datagram, or drops and counts it.

    The socket is not connected: every datagram looks the path up again, so one
    that comes after syslog was restarted finds the new daemon by itself.
    """

    __slots__ = ("_clock", "_path", "_socket", "_tag", "dropped")

    def __init__(
        self,
        path: str = "/dev/log",
        *,
        tag: str = "prefork",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.dropped = 0
        self._path = path
        self._tag = tag
        self._clock = clock
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def write(self, data: bytes, /) -> bool:
        """Send one line, with or without its newline; False if it was dropped."""
        # Without a host name, as syslog(3) does it: the daemon is on this one.
        stamp = format_syslog(int(self._clock()))
        head = f"<{USER_INFO}>{stamp} {self._tag}[{os.getpid()}]: "
        try:
            self._socket.sendto(head.encode() + data.rstrip(b"\n"), self._path)
        except OSError:  # no daemon, or one that does not keep up
            self.dropped += 1
            return False
        return True

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()
