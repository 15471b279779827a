"""A request that has been sent, over HTTP or FastCGI, and what became of it."""

import os
import socket
import struct
from typing import NamedTuple

Address = str | tuple[str, int]  # a path, or host and port

BEGIN_REQUEST, END_REQUEST, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
RESPONDER = 1


class Answer(NamedTuple):
    """An answer that came to its end."""

    status: int
    body: str


class Question:
    """One GET over a connection of its own: it is sent at once, and read later."""

    def __init__(
        self, address: Address, target: str, *, script: str = "", timeout: float = 30
    ) -> None:
        """`script`: speak FastCGI, and ask for this file; "" is HTTP.

        Raises OSError if nobody listens.
        """
        self._is_fastcgi = bool(script)
        family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
        self._socket = socket.socket(family)
        self._socket.settimeout(timeout)
        try:
            self._socket.connect(address)
            self._socket.sendall(
                format_fastcgi(target, script) if script else format_http(target)
            )
        except OSError:
            self._socket.close()
            raise

    def read(self) -> Answer | None:
        """Wait for the answer; None if it was cut, or never came."""
        data = b""
        try:
            with self._socket:
                while part := self._socket.recv(65536):
                    data += part
        except OSError:
            pass  # a reset, or too late: the answer may be whole all the same
        return parse_fastcgi(data) if self._is_fastcgi else parse_http(data)


def format_http(target: str) -> bytes:
    # Of version 1.0, so that nobody keeps the connection or sends chunks.
    return f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode()


def parse_http(data: bytes) -> Answer | None:
    head, end, body = data.partition(b"\r\n\r\n")
    line, *fields = head.decode("latin-1").split("\r\n")
    if not end:
        return None
    for field in fields:
        name, _, value = field.partition(":")
        if name.lower() == "content-length" and len(body) < int(value):
            return None
    return Answer(int(line.split()[1]), body.decode())


def format_fastcgi(target: str, script: str) -> bytes:
    """All records of a request without a body (FastCGI 1.0, section 3)."""
    path, _, query = target.partition("?")
    variables = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_FILENAME": script,
        "SCRIPT_NAME": "/" + os.path.basename(script),
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REQUEST_URI": target,
        "SERVER_PROTOCOL": "HTTP/1.0",
    }
    pairs = b"".join(
        struct.pack(">BB", len(name), len(value)) + name.encode() + value.encode()
        for name, value in variables.items()
    )
    begin = struct.pack(">HB5x", RESPONDER, 0)
    content = [(BEGIN_REQUEST, begin), (PARAMS, pairs), (PARAMS, b""), (STDIN, b"")]
    return b"".join(
        struct.pack(">BBHHBx", 1, kind, 1, len(data), 0) + data
        for kind, data in content
    )


def parse_fastcgi(data: bytes) -> Answer | None:
    output, is_whole = b"", False
    while len(data) >= 8:
        _, kind, _, length, padding = struct.unpack(">BBHHB", data[:7])
        content, data = data[8 : 8 + length], data[8 + length + padding :]
        if kind == STDOUT:
            output += content
        is_whole = is_whole or kind == END_REQUEST
    if not is_whole:
        return None
    head, _, body = output.partition(b"\r\n\r\n")
    status = head.partition(b"Status: ")[2][:3] or b"200"
    return Answer(int(status), body.decode())
