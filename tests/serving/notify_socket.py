"""Who listens for notifications, as systemd does."""

import array
import os
import socket
from contextlib import suppress
from pathlib import Path

LONGEST = 4096


class NotifySocket:
    """A $NOTIFY_SOCKET; remembers all that it was told, and closes what it was sent."""

    def __init__(self, path: Path | str) -> None:
        """`path`: a file, or an abstract name that begins with "@"."""
        self.address = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address.replace("@", "\0", 1))
        self._socket.setblocking(False)
        self._told: list[str] = []
        self.received: list[int] = []  # how many descriptors each message had

    def told(self) -> list[str]:
        """All messages so far."""
        while self._read():
            pass
        return self._told

    def fill(self) -> None:
        """Have it full, as that of a systemd which is busy with something else."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as another:
            another.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    another.sendto(b"", self._socket.getsockname())

    def lines(self, name: str) -> list[str]:
        """The values that a name was given so far."""
        lines = [line for message in self.told() for line in message.splitlines()]
        pairs = [line.partition("=") for line in lines]
        return [value for key, _, value in pairs if key == name]

    def _read(self) -> bool:
        try:
            data, rights, _, _ = self._socket.recvmsg(LONGEST, LONGEST)
        except BlockingIOError:
            return False
        passed = array.array("i", b"".join(content for _, _, content in rights))
        for fd in passed:
            os.close(fd)
        self._told.append(data.decode())
        self.received.append(len(passed))
        return True

    def close(self) -> None:
        self._socket.close()
