"""Notifications to whoever has started us, as sd_notify(3) sends them.

Datagrams of lines NAME=VALUE, to the unix socket that $NOTIFY_SOCKET names.  The
variable is taken: a child that used it would speak in our name, and is not heard.
"""

import array
import os
import socket
from collections.abc import MutableMapping, Sequence

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


class Notifier:
    """Where notifications go.  It never waits, and never raises."""

    def __init__(self, address: str, *, watchdog: float = 0.0) -> None:
        """`watchdog`: seconds of silence after which we are killed; 0: never."""
        self.address = address
        self.watchdog = watchdog
        # systemd's documentation: "@" stands for the NUL of an abstract name.
        self._target = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def send(self, *lines: str, descriptors: Sequence[int] = ()) -> bool:
        """Send lines NAME=VALUE; False: it cannot be done now, or nobody is there."""
        passed = array.array("i", descriptors)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, passed)] if passed else []
        try:
            text = "\n".join(lines).encode()
            self._socket.sendmsg([text], rights, socket.MSG_NOSIGNAL, self._target)
        except OSError:
            return False
        return True

    def close(self) -> None:
        self._socket.close()


def take_notifier(environ: MutableMapping[str, str]) -> Notifier | None:
    """Read the variables, and remove them; None: nobody wants to be told."""
    address, usec, pid = (environ.pop(name, "") for name in VARIABLES)
    if not address.startswith(("/", "@")):
        return None
    # sd_watchdog_enabled(3): with another pid it is meant for another process.
    is_ours = usec.isdecimal() and pid in ("", str(os.getpid()))
    return Notifier(address, watchdog=int(usec) / 1e6 if is_ours else 0.0)
