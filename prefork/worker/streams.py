"""The streams of a CGI program: a body from stdin, an answer to stdout.

What an application does with stdin and stdout itself must not disturb these: to it,
stdin is empty, and stdout is stderr.
"""

import io
import os
from collections.abc import Iterator
from typing import BinaryIO

from prefork.errors import ClientGone, ProtocolError
from prefork.protocols.request import Answer, Headers

READ_SIZE = 65536
STDIN, STDOUT, STDERR = 0, 1, 2


def take_streams() -> tuple[int, int]:
    """Take over stdin and stdout: their new descriptors."""
    taken = os.dup(STDIN), os.dup(STDOUT)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, STDIN)
    os.close(nothing)
    os.dup2(STDERR, STDOUT)
    return taken


def read_body(fd: int, length: int | None, *, in_memory: int, limit: int) -> BinaryIO:
    """All of a body, whose end is the end if its length is not known.

    All of it, and at once: web servers send the whole before they listen, so one
    that is answered early would wait for us, and we for it.  What is longer than
    `in_memory` goes to a temporary file.  Raises ClientGone, and ProtocolError if
    there is more than `limit` bytes.
    """
    body: BinaryIO = io.BytesIO()
    size = 0
    for data in _read_pieces(fd, length):
        if size <= in_memory < size + len(data):
            body = _move_to_file(body)
        size += len(data)
        if limit and size > limit:
            raise ProtocolError("body too long", status=413)
        body.write(data)
    if length is not None and size < length:
        raise ClientGone("the body ended before its CONTENT_LENGTH")
    body.seek(0)
    return body


def _read_pieces(fd: int, length: int | None) -> Iterator[bytes]:
    left = length
    # RFC 3875 4.2: "A script MUST NOT attempt to read more than CONTENT_LENGTH bytes,
    # even if more data is available."
    while left is None or left:
        try:
            data = os.read(fd, READ_SIZE if left is None else min(left, READ_SIZE))
        except OSError as error:
            raise ClientGone(f"could not read: {error.strerror}") from error
        if not data:
            return
        if left is not None:
            left -= len(data)
        yield data


def _move_to_file(body: BinaryIO) -> BinaryIO:
    from tempfile import TemporaryFile  # 7 ms, and few bodies need it

    file: BinaryIO = TemporaryFile()  # noqa: SIM115 - closed with the process
    body.seek(0)
    file.write(body.read())
    return file


class StreamReply:
    """Implements protocols.request.Reply over a descriptor that blocks."""

    lull = 0.0  # all of the body is here
    is_full = False  # nothing ever waits for the client
    patience = 0.0

    def __init__(self, fd: int, answer: Answer) -> None:
        self._fd = fd
        self._answer = answer
        self.started = False
        self.is_aborted = False

    @property
    def problem(self) -> str:
        return self._answer.problem

    def send(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> None:
        data = self._answer.start(status, headers, chunk, complete=complete)
        self.started = True
        send_all(self._fd, data)

    def send_file(self, status: str, headers: Headers, file: BinaryIO) -> bool:
        return False

    def pass_on(self, status: str, headers: Headers, response: bytes) -> bool:
        return False

    def write(self, chunk: bytes) -> None:
        send_all(self._fd, self._answer.chunk(chunk))

    def end(self) -> None:
        self._answer.end()

    def complain(self, text: bytes) -> None:
        pass  # the log is stderr, which is the front end's

    def fail(self, text: bytes, *, status: int = 1) -> None:
        pass

    def watch(self) -> tuple[int, int]:
        return self._fd, 0

    def hear(self, events: int) -> None:
        # POLLHUP or POLLERR: watch() asks for no other event.
        raise ClientGone("the client left")

    def abort(self) -> None:
        self.is_aborted = True


def send_all(fd: int, data: bytes) -> None:
    """Write all of it; ClientGone."""
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(fd, view) :]
    except OSError as error:
        raise ClientGone(f"could not send: {error.strerror}") from error
