"""A client of a web server: one request a connection, said as it is told."""

import http.client
import json
import select
import socket
from collections.abc import Iterable, Sequence
from contextlib import closing
from typing import Any

from serving.wire import Wire

Fields = Sequence[tuple[str, str]]
Content = bytes | Iterable[bytes]  # pieces are sent as chunks, if no length is said


class Answer:
    """A whole answer; IncompleteRead if it was cut."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.reason = response.reason
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(self.body)
        return value


class Browser:
    """Asks 127.0.0.1:`port`."""

    port: int

    def connect(
        self, *, source: str = "127.0.0.1", timeout: float = 20.0
    ) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=timeout, source_address=(source, 0)
        )

    def wire(self) -> Wire:
        """A connection for what no HTTP client would do."""
        connection = self.connect()
        connection.connect()
        return Wire(connection.sock)

    def ask(
        self,
        method: str,
        target: str,
        fields: Fields = (),
        body: Content | None = None,
        *,
        source: str = "127.0.0.1",
    ) -> Answer:
        with closing(self.connect(source=source)) as connection:
            send(connection, method, target, [("Connection", "close"), *fields], body)
            return Answer(connection.getresponse())

    def get(self, target: str, *fields: tuple[str, str], **more: Any) -> Answer:
        return self.ask("GET", target, fields, **more)

    def post(
        self, target: str, body: Content, *fields: tuple[str, str], **more: Any
    ) -> Answer:
        return self.ask("POST", target, fields, body, **more)


def send(
    connection: http.client.HTTPConnection,
    method: str,
    target: str,
    fields: Fields,
    body: Content | None,
) -> None:
    """Send a request; repeated fields stay repeated."""
    names = {name.lower() for name, _ in fields}
    has_length = "content-length" in names
    connection.putrequest(method, target, skip_host="host" in names)
    for name, value in fields:
        connection.putheader(name, value)
    if isinstance(body, bytes) and not has_length:
        connection.putheader("Content-Length", str(len(body)))
    elif body is not None and not has_length:
        connection.putheader("Transfer-Encoding", "chunked")
    if isinstance(body, bytes):
        connection.endheaders()
        send_until_answered(connection.sock, body)
    else:
        connection.endheaders(body, encode_chunked=not has_length)


def send_until_answered(connection: socket.socket, body: bytes) -> None:
    """Send it, as clients do, until there is something to read: a refusal."""
    left = memoryview(body)
    while left:
        readable, writable, _ = select.select([connection], [connection], [], 20)
        if readable or not writable:
            return
        try:
            left = left[connection.send(left[:65536]) :]
        except (BrokenPipeError, ConnectionResetError):
            return
