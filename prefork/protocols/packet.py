"""One request a connection, in a packet that says first how long it is.

What SCGI and uwsgi have in common: a packet of variables, then as many bytes of a
body as CONTENT_LENGTH says, and the server closes.
"""

from typing import Protocol

from prefork.errors import ProtocolError
from prefork.protocols.answer import CgiAnswer, format_refusal
from prefork.protocols.http_body import LengthBody
from prefork.protocols.known import VariablesAndLength
from prefork.protocols.request import Request
from prefork.protocols.variables import NO_LENGTH, format_request_line


class Packets(Protocol):
    """What two protocols do differently."""

    @property
    def answers(self) -> type[CgiAnswer]: ...

    refusal: str  # what stands before the status in a refusal

    def measure(self, data: bytes) -> int:
        """Bytes of the whole packet that `data` begins; 0: too little to tell."""

    def read(
        self, packet: bytes, *, remote: dict[str, str], asked: dict[str, str]
    ) -> VariablesAndLength | bytes:
        """What a packet asks for; or what to reply to one that is no request."""


class PacketConversation:
    """Gathers the packet, which arrives in one piece but for very large ones."""

    __slots__ = (
        "_asked",
        "_buffer",
        "_packets",
        "_size",
        "is_over",
        "remote",
        "replies",
    )

    successor = None
    has_leftover = False
    is_front_end = True

    def __init__(self, packets: Packets, remote: dict[str, str]) -> None:
        self._packets = packets
        self._buffer = bytearray()  # the packet, so far
        self._size = 0  # of the whole packet, as soon as it is known
        self.remote = remote
        self.replies = b""
        self.is_over = False
        self._asked: dict[str, str] = {}  # of the front end, by what was refused

    @property
    def request_line(self) -> str:
        """What was asked of the front end, by a request that was refused."""
        return format_request_line(self._asked)

    @property
    def is_idle(self) -> bool:
        return not self._buffer

    def feed(self, data: bytes) -> Request | None:
        """Take received bytes; return a request once its packet is complete."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._size:
                return None
            data = bytes(self._buffer)
        size = self._packets.measure(data)
        if not size or len(data) < size:
            self._buffer[:] = data
            self._size = size
            return None
        self._buffer.clear()
        found = self._packets.read(data[:size], remote=self.remote, asked=self._asked)
        if isinstance(found, bytes):
            self.replies, self.is_over = found, True
            return None
        variables, length = found
        body = LengthBody(length) if length else None
        return Request(variables, body=body, rest=data[size:], keep_alive=False)

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> CgiAnswer:
        """Answer a request; `keep_alive` means nothing here."""
        return self._packets.answers(request, keep_alive=False)

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """The whole answer to a request that was refused; then close."""
        return format_refusal(self._packets.refusal, error)


def check_length(variables: dict[str, str]) -> None:
    """A chunked body ends where its length says, if the front end knows it."""
    is_chunked = "HTTP_TRANSFER_ENCODING" in variables
    if is_chunked and variables.get("CONTENT_LENGTH", "") in NO_LENGTH:
        raise ProtocolError("chunked body without CONTENT_LENGTH", status=411)
