"""A reply that only remembers: what a gateway said, without a worker."""

from typing import Any

from prefork.errors import ClientGone
from prefork.protocols.request import Headers


class Recorder:
    """A reply that keeps all it is given.

    Its client can leave before the chunk number `leaves_at`; it sends files as
    such only if it `takes_files`; and it refuses a head as a protocol would.
    """

    def __init__(
        self, *, leaves_at: int | None = None, takes_files: bool = True
    ) -> None:
        self._leaves_at = leaves_at
        self._takes_files = takes_files
        self.started = False
        self.status = ""
        self.headers: Headers = ()
        self.chunks: list[bytes] = []
        self.file: Any = None
        self.ended = ""  # "complete", "end" or "abort"
        self.failure = b""
        self.complaints: list[bytes] = []

    def send(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> None:
        assert not self.started
        if any("\n" in value for _, value in headers):
            raise ValueError("control character in a header")
        self._meet_client()
        self.started = True
        self.status, self.headers = status, headers
        self.chunks.append(chunk)
        self.ended = "complete" if complete else ""

    def send_file(self, status: str, headers: Headers, file: Any) -> bool:
        assert not self.started
        if not self._takes_files:
            return False
        self.started = True
        self.status, self.headers, self.file = status, headers, file
        return True

    def write(self, chunk: bytes) -> None:
        assert self.started and not self.ended
        self._meet_client()
        self.chunks.append(chunk)

    def end(self) -> None:
        assert self.started and not self.ended
        self.ended = "end"

    def complain(self, text: bytes) -> None:
        self.complaints.append(text)

    def fail(self, text: bytes, *, status: int = 1) -> None:
        self.failure = text

    def abort(self) -> None:
        self.ended = "abort"

    def _meet_client(self) -> None:
        if self._leaves_at is not None and len(self.chunks) >= self._leaves_at:
            raise ClientGone("the client left")

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)
