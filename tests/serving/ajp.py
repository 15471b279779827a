"""AJP13 as a front end speaks it: packets byte for byte, and a wire to send them on.

Written from the tables of the protocol, not from the code under test.
"""

import struct
from collections.abc import Iterable
from typing import NamedTuple

from serving.connection import Connection

HEADERS = {
    "accept": 1,
    "connection": 6,
    "content-type": 7,
    "content-length": 8,
    "cookie": 9,
    "host": 11,
    "user-agent": 14,
}
ANSWER_HEADERS = {1: "content-type", 3: "content-length", 6: "location"}
GET, HEAD, POST, PUT, STORED = 2, 3, 4, 5, 255
SECRET, STORED_METHOD = 0x0C, 0x0D
CPING = b"\x12\x34\x00\x01\x0a"
SHUTDOWN = b"\x12\x34\x00\x01\x07"
PING = b"\x12\x34\x00\x01\x08"
EMPTY = b"\x12\x34\x00\x00"
CPONG = b"AB\x00\x01\x09"
PORT = b"\x0a\x00\x0fAJP_REMOTE_PORT\x00\x00\x0540000\x00"  # Apache's always have it
DONE = b"\xff"


def packet(payload: bytes) -> bytes:
    return b"\x12\x34" + struct.pack("!H", len(payload)) + payload


def string(text: str | None) -> bytes:
    if text is None:
        return b"\xff\xff"
    return struct.pack("!H", len(text)) + text.encode("latin-1") + b"\0"


def coded(code: int, value: str | None) -> bytes:
    """An attribute that has a code."""
    return bytes([code]) + string(value)


def named(name: str | None, value: str | None) -> bytes:
    """A request attribute."""
    return b"\x0a" + string(name) + string(value)


def header(name: str, value: str) -> bytes:
    code = HEADERS.get(name.lower())
    return (bytes([0xA0, code]) if code else string(name)) + string(value)


def payload(
    uri: str | None = "/",
    *headers: tuple[str, str],
    method: int = GET,
    attributes: bytes = PORT,
    protocol: str | None = "HTTP/1.1",
    address: str | None = "192.0.2.7",
    host: str | None = None,
    server: str | None = "www.example.org",
    port: int = 80,
    is_ssl: bool = False,
) -> bytes:
    """What a FORWARD_REQUEST carries."""
    texts = (protocol, uri, address, host, server)
    return b"".join(
        (
            bytes([2, method]),
            *map(string, texts),
            struct.pack("!HBH", port, is_ssl, len(headers)),
            *(header(*each) for each in headers),
            attributes,
            DONE,
        )
    )


def forward(uri: str = "/", *headers: tuple[str, str], **more: object) -> bytes:
    """A FORWARD_REQUEST; see payload()."""
    return packet(payload(uri, *headers, **more))  # type: ignore[arg-type]


def body(data: bytes) -> bytes:
    """A packet of a body; of no bytes: its end."""
    return packet(struct.pack("!H", len(data)) + data)


def packets(data: bytes) -> Iterable[tuple[int, bytes]]:
    """The packets of a container: code, and what follows that."""
    while data:
        magic, size = struct.unpack_from("!2sH", data)
        assert magic == b"AB"
        assert size <= 8188
        assert len(data) >= 4 + size, "cut"
        yield data[4], data[5 : 4 + size]
        data = data[4 + size :]


class Answer(NamedTuple):
    """One answer; the names of its headers in lower case."""

    status: int
    reason: str
    headers: list[tuple[str, str]]
    body: bytes
    reuse: bool | None  # None: it breaks off
    asked: list[int]  # how much of the body was asked for, each time


def read_head(data: bytes) -> tuple[int, str, list[tuple[str, str]]]:
    """What a SEND_HEADERS says."""

    def take_string(at: int) -> tuple[str, int]:
        (size,) = struct.unpack_from("!H", data, at)
        end = at + 2 + size
        assert data[end] == 0
        return data[at + 2 : end].decode("latin-1"), end + 1

    (status,) = struct.unpack_from("!H", data)
    reason, at = take_string(2)
    (count,) = struct.unpack_from("!H", data, at)
    at += 2
    headers = []
    for _ in range(count):
        if data[at] == 0xA0:
            name, at = ANSWER_HEADERS.get(data[at + 1], f"#{data[at + 1]}"), at + 2
        else:
            name, at = take_string(at)
        value, at = take_string(at)
        headers.append((name.lower(), value))
    assert at == len(data)
    return status, reason, headers


def read_chunk(data: bytes) -> bytes:
    """What a SEND_BODY_CHUNK carries."""
    (size,) = struct.unpack_from("!H", data)
    assert len(data) == 2 + size + 1
    assert data[-1] == 0
    return data[2:-1]


class Wire(Connection):
    """A front end's connection."""

    def read_packet(self) -> tuple[int, bytes] | None:
        """Code and content of the next packet; None at the end."""
        head = self._file.read(4)
        if not head:
            return None
        magic, size = struct.unpack("!2sH", head)
        assert magic == b"AB"
        data = self._file.read(size)
        assert len(data) == size
        return data[0], data[1:]

    def read_answer(self, upload: bytes = b"", *, piece: int = 8186) -> Answer:
        """One answer; `upload` is sent as it is asked for, by so many bytes."""
        status, reason = 0, ""
        headers: list[tuple[str, str]] = []
        data: list[bytes] = []
        asked: list[int] = []
        reuse: bool | None = None
        while (next_one := self.read_packet()) is not None:
            code, content = next_one
            if code == 6:
                asked.append(struct.unpack("!H", content)[0])
                size = min(asked[-1], piece)
                self.send(body(upload[:size]))
                upload = upload[size:]
            elif code == 4:
                status, reason, headers = read_head(content)
            elif code == 3:
                data.append(read_chunk(content))
            else:
                assert code == 5
                reuse = bool(content[0])
                break
        return Answer(status, reason, headers, b"".join(data), reuse, asked)

    def ask(self, *parts: bytes, upload: bytes = b"") -> Answer:
        """Send a request, read its answer."""
        self.send(*parts)
        return self.read_answer(upload)

    def is_ended(self) -> bool:
        """Has the container closed?  Waits for it, or for a byte too much."""
        return self._file.read(1) == b""
