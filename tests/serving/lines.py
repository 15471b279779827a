"""A protocol small enough for tests of the worker's parts: a request is a line.

    `NAME\\n`             a request without a body
    `NAME LENGTH\\n…`     … with LENGTH bytes of one
    `NAME LENGTH wait\\n` … whose sender waits until the body is wanted
    `bad\\n`              is refused
    `ping\\n`             is no request, and answered by "pong" at once

The answer is its status, a newline, and its chunks as they are.
"""

import os
import socket
from collections.abc import Callable

from prefork.errors import ProtocolError
from prefork.protocols.request import Request


class LineDoor:
    """Accepts connections of a listener, or of none; speaks lines."""

    name = "lines"

    def __init__(self, listener: socket.socket | None = None) -> None:
        self._listener = listener
        self.fd = listener.fileno() if listener else -1
        self.is_unix = listener is not None and listener.family == socket.AF_UNIX
        self.language = Lines()
        self.before_accept: Callable[[], object] = lambda: None

    def accept(self) -> tuple[int, dict[str, str]]:
        assert self._listener is not None
        self.before_accept()
        connection, _ = self._listener.accept()
        fd = connection.detach()
        os.set_blocking(fd, False)
        return fd, {"REMOTE_ADDR": "127.0.0.1"}

    def resume(self, remote: dict[str, str]) -> "LineConversation":
        return self.language.converse(remote)

    def trust(self, variables: dict[str, str]) -> None:
        pass


class Lines:
    """The protocol of the door; `is_front_end`: of those who come through it."""

    is_front_end = False

    def converse(self, remote: dict[str, str]) -> "LineConversation":
        return LineConversation(remote, is_front_end=self.is_front_end)


class LineConversation:
    """Gathers a line."""

    successor = None
    has_leftover = False
    is_over = False

    def __init__(self, remote: dict[str, str], *, is_front_end: bool) -> None:
        self.remote = remote
        self.is_front_end = is_front_end
        self.replies = b""
        self._buffer = b""
        self.request_line = ""

    @property
    def is_idle(self) -> bool:
        return not self._buffer

    def feed(self, data: bytes) -> Request | None:
        self._buffer += data
        line, end, rest = self._buffer.partition(b"\n")
        if not end:
            return None
        self._buffer = b""
        name, *more = line.decode().split()
        if name == "bad":
            raise ProtocolError("a bad line")
        if name == "ping":
            self.replies += b"pong\n"
            return None
        return Request(
            {**self.remote, "REQUEST_METHOD": "GET", "REQUEST_URI": name},
            body=CountedBody(int(more[0])) if more else None,
            rest=rest,
            keep_alive=True,
            invitation=b"come\n" if "wait" in more else b"",
        )

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> "PlainAnswer":
        return PlainAnswer(keep_alive=keep_alive and request.keep_alive)

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        return f"{error.status} {error.reason}\n".encode()


class CountedBody:
    """So many bytes; one that begins with `!` is malformed."""

    may_be_left = False

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = not length
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        if data.startswith(b"!"):
            raise ProtocolError("a malformed body", status=413)
        part, rest = data[: self._left], data[self._left :]
        self._left -= len(part)
        self.done = not self._left
        self.rest += rest
        return part


class PlainAnswer:
    """Status, newline, chunks."""

    ends_by_closing = False
    abortion = b""

    def __init__(self, *, keep_alive: bool) -> None:
        self.keep_alive = keep_alive
        self.problem = ""
        self.sent = 0
        self._complaints = b""

    def start(
        self, status: str, headers: object, chunk: bytes, *, complete: bool
    ) -> bytes:
        if "\r" in status:
            raise ValueError("a status that cannot be sent")
        complaints, self._complaints = self._complaints, b""
        return complaints + status.encode() + b"\n" + self.chunk(chunk)

    def start_file(
        self, status: str, headers: object, size: int
    ) -> tuple[bytes, int] | None:
        if status.startswith("9"):
            return None  # as of a protocol that frames its bytes
        self.sent += size
        return status.encode() + b"\n", size

    def chunk(self, data: bytes) -> bytes:
        self.sent += len(data)
        return data

    def end(self) -> bytes:
        return b".\n"

    def abandon(self) -> bytes:
        return b"abandoned\n"

    def complain(self, text: bytes) -> None:
        self._complaints += b"(" + text + b")"

    def fail(self, text: bytes, *, status: int = 1) -> None:
        self.complain(b"failed: " + text)
