"""FastCGI as a web server speaks it: requests as bytes, answers as what they say."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

from prefork.protocols import fastcgi_records as wire
from serving.connection import Connection

Record = tuple[int, int, bytes]  # kind, request id, content


def record(
    kind: int, content: bytes = b"", *, number: int = 1, padding: int = 0
) -> bytes:
    """One record; `padding` bytes of it are no zeros."""
    header = wire.HEADER.pack(1, kind, number, len(content), padding)
    return header + content + b"p" * padding


def params(**variables: str) -> bytes:
    return wire.format_pairs(list(variables.items()))


def begin(
    *, number: int = 1, role: int = wire.RESPONDER, keep: bool = False, **more: str
) -> bytes:
    """A request as far as the end of PARAMS."""
    variables = {"REQUEST_METHOD": "GET", "REQUEST_URI": "/", **more}
    return (
        wire.format_begin(number, role=role, keep=keep)
        + record(wire.PARAMS, params(**variables), number=number)
        + record(wire.PARAMS, number=number)
    )


def stream(
    kind: int, data: bytes = b"", *, number: int = 1, size: int = 65535
) -> bytes:
    """A whole stream, in records of `size`, and its end."""
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    return b"".join(record(kind, piece, number=number) for piece in [*pieces, b""])


def get(uri: str = "/", *, number: int = 1, keep: bool = False, **more: str) -> bytes:
    start = begin(number=number, keep=keep, REQUEST_URI=uri, **more)
    return start + stream(wire.STDIN, number=number)


def post(
    uri: str, body: bytes, *, number: int = 1, keep: bool = False, **more: str
) -> bytes:
    variables = {"REQUEST_URI": uri, "CONTENT_LENGTH": str(len(body)), **more}
    start = begin(number=number, keep=keep, REQUEST_METHOD="POST", **variables)
    return start + stream(wire.STDIN, body, number=number)


def split_records(data: bytes) -> Iterator[Record]:
    """The records in some bytes, which must be whole."""
    at = 0
    while at < len(data):
        version, kind, number, length, padding = wire.HEADER.unpack_from(data, at)
        at += wire.HEADER.size
        assert version == 1 and len(data) >= at + length + padding
        yield kind, number, data[at : at + length]
        at += length + padding


@dataclass
class Answer:
    """What a web server understands of the records for one request."""

    output: bytes = b""
    errors: bytes = b""
    application: int = -1  # -1: no END_REQUEST has come
    protocol: int = -1
    heads: list[bytes] = field(default_factory=list)  # the first record of STDOUT

    def take(self, kind: int, content: bytes) -> None:
        assert self.protocol < 0, "a record after END_REQUEST"
        if kind == wire.STDOUT:
            self.output += content
            self.heads = self.heads or [content]
        elif kind == wire.STDERR:
            assert content, "the end of STDERR is not needed, and confuses"
            self.errors += content
        else:
            assert kind == wire.END_REQUEST
            self.application, self.protocol = wire.END.unpack(content)

    @property
    def status(self) -> int:
        name, status = self.output.split(b"\r\n")[0].split(b" ", 2)[:2]
        assert name == b"Status:" and b"\r\n\r\n" in self.heads[0]
        return int(status)

    @property
    def headers(self) -> dict[str, str]:
        lines = self.output.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
        return {name.lower(): value for name, value in (x.split(": ") for x in lines)}

    @property
    def body(self) -> bytes:
        return self.output.partition(b"\r\n\r\n")[2]


def understand(data: bytes, *, number: int = 1) -> Answer:
    """The answer to one request in all that was sent."""
    answer = Answer()
    for kind, request, content in split_records(data):
        if request == number:
            answer.take(kind, content)
    return answer


class Wire(Connection):
    """One connection of a web server."""

    def read_record(self) -> Record | None:
        """The next record; None at the end of the connection."""
        header = self._file.read(wire.HEADER.size)
        if not header:
            return None
        _, kind, number, length, padding = wire.HEADER.unpack(header)
        content = self._file.read(length + padding)
        return kind, number, content[:length]

    def read_answer(self, *, number: int = 1) -> Answer:
        """The answer to a request; what else is said is passed over."""
        answer = Answer()
        while answer.protocol < 0 and (found := self.read_record()):
            kind, request, content = found
            if request == number:
                answer.take(kind, content)
        return answer

    def read_rest(self) -> bytes:
        return self._file.read()


def connect(path: str, *, timeout: float = 15.0) -> Wire:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(timeout)
    try:
        connection.connect(path)
    except OSError:
        connection.close()
        raise
    return Wire(connection)
