"""A lobby in the test's own process, with one door, and those who come in by it."""

import dataclasses
import os
import socket
import threading
import time
from collections.abc import Callable

from prefork.errors import ProtocolError
from prefork.worker.client import Client
from prefork.worker.limits import ClientDeadlines
from prefork.worker.lobby import Lobby
from serving.lines import LineDoor

BIG = b"x" * (1 << 20)


class Room:
    """A lobby with one door, and those who come in through it."""

    def __init__(
        self, *, size: int = 100, body_buffer: int = 1000, **deadlines: float
    ) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.listener.setblocking(False)
        self.door = LineDoor(self.listener)
        self.bell = os.eventfd(0, os.EFD_NONBLOCK)
        self.refused: list[str] = []
        self.notices: list[str] = []
        self.visitors: list[socket.socket] = []
        kinds = (field.name for field in dataclasses.fields(ClientDeadlines))
        patience = dict.fromkeys(kinds, 9.0) | {"body_min_rate": 0}
        self.lobby = Lobby(
            [self.door],  # type: ignore[list-item]
            self.bell,
            size=size,
            body_buffer=body_buffer,
            deadlines=ClientDeadlines(**{**patience, **deadlines}),
            refuse=self._refuse,
            notice=lambda event, **fields: self.notices.append(event),
        )
        self.lobby.open_doors()

    def _refuse(self, client: Client, error: ProtocolError) -> None:
        self.refused.append(error.reason)
        client.transmit(f"{error.status}\n".encode())

    def visit(self, data: bytes = b"") -> socket.socket:
        """Somebody connects, and says `data`."""
        visitor = socket.create_connection(self.listener.getsockname(), timeout=5)
        self.visitors.append(visitor)
        if data:
            visitor.sendall(data)
        return visitor

    def let_in(self, *datas: bytes) -> list[socket.socket]:
        """Some connect, and are inside."""
        visitors = []
        for data in datas:
            visitors.append(self.visit(data))
            before = self.lobby.count()[0]
            self.turn_until(lambda before=before: self.lobby.count()[0] > before)
        return visitors

    def turn_until(self, check: Callable[[], object], within: float = 5.0) -> None:
        """Let the lobby turn, with no request in sight, until `check` is true."""
        give_up = time.monotonic() + within
        while not check():
            assert self.lobby.next() is None
            assert time.monotonic() < give_up

    def next(self, within: float = 5.0) -> Client:
        """The next client with a request."""
        give_up = time.monotonic() + within
        while (client := self.lobby.next()) is None:
            assert time.monotonic() < give_up, "no request"
        return client

    def serve(self, answer: bytes = b"", *, keep: bool = True) -> str:
        """Answer the next request; what it was."""
        client = self.next()
        assert client.request is not None
        name = client.request.variables["REQUEST_URI"]
        client.transmit(answer or name.encode() + b"\n")
        self.lobby.put_back(client, keep=keep)
        return name

    def drain(self) -> list[str]:
        """Serve until everybody has left, as a retiring worker does."""
        names = []
        give_up = time.monotonic() + 5
        while not self.lobby.is_empty():
            assert time.monotonic() < give_up
            client = self.lobby.next()
            if client is not None:
                assert client.request is not None
                names.append(client.request.variables["REQUEST_URI"])
                client.transmit(names[-1].encode())
                self.lobby.put_back(client, keep=False)
        return names

    def close(self) -> None:
        self.lobby.close_doors(drain=False)
        for visitor in self.visitors:
            visitor.close()
        self.drain()
        self.listener.close()
        os.close(self.bell)


MakeRoom = Callable[..., Room]


def is_closed(visitor: socket.socket) -> bool:
    """Has the server said goodbye?  Reads all there is."""
    visitor.settimeout(0)
    try:
        while visitor.recv(1 << 20):
            pass
    except BlockingIOError:
        return False
    except ConnectionResetError:
        pass
    return True


class Reader(threading.Thread):
    """Reads on, until the end or so many bytes."""

    def __init__(self, visitor: socket.socket, most: int = 1 << 30) -> None:
        super().__init__(daemon=True)
        self._visitor = visitor
        self._most = most
        self.received = b""
        self.start()

    def run(self) -> None:
        while len(self.received) < self._most:
            data = self._visitor.recv(1 << 20)
            self.received += data
            if not data:
                return
