"""A connection to a server: sent as it is, read as a file."""

import socket
from typing import Self


class Connection:
    """Its bytes, both ways; each protocol's `Wire` says what they mean."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()
        self.socket.close()

    def send(self, *parts: bytes) -> None:
        self.socket.sendall(b"".join(parts))
