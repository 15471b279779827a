"""One HTTP connection seen byte for byte: sent as it is, read answer by answer."""

import select
import socket
from typing import NamedTuple

from serving.connection import Connection


class Answer(NamedTuple):
    """One answer as it came; the names of its headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


class Wire(Connection):
    """A client that does what it is told, not what is polite."""

    def request(self, target: str, *headers: str, method: str = "GET") -> None:
        """Send a request without a body."""
        lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers, "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))

    def end(self) -> None:
        """Say that nothing more will be sent; answers can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def wait_readable(self, seconds: float = 10.0) -> bool:
        """Is there something to read within `seconds`, beyond what was read?"""
        return bool(select.select([self.socket], [], [], seconds)[0])

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def read_answer(self, *, with_body: bool = True) -> Answer:
        """Read one answer; EOFError if there is none, or it ends too early."""
        version, status, _ = self._read_line().split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {}
        while line := self._read_line():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        has_body = with_body and status[0] != "1"
        body = self._read_body(headers) if has_body else b""
        return Answer(int(status), headers, body)

    def _read_line(self) -> str:
        line = self._file.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"ends in the middle of a line: {line!r}")
        return line[:-2].decode("latin-1")

    def _read_body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            return self._read_exactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") == "chunked":
            return self._read_chunks()
        return self._file.read()

    def _read_chunks(self) -> bytes:
        body = b""
        while size := int(self._read_line(), 16):
            body += self._read_exactly(size)
            assert self._read_line() == ""
        assert self._read_line() == ""
        return body

    def _read_exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise EOFError(f"{len(data)} bytes instead of {size}")
        return data

    def read_rest(self) -> bytes:
        """Everything up to the end; `[RESET]` stands for a reset."""
        try:
            return self._file.read()
        except ConnectionResetError:
            return b"[RESET]"
