"""The body of an AJP13 request: packets, and how they are asked for.

The first comes unasked if it is known how long the body is.
"""

from typing import Protocol

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as ajp


class Asker(Protocol):
    """Where the next packet is asked for."""

    replies: bytes


class AjpBody:
    """Asks for a packet as soon as the last one is here, so that it is on its way
    while that is worked on; never for two, which front ends do not expect."""

    __slots__ = (
        "_asker",
        "_buffer",
        "_is_bare",
        "_length",
        "_limit",
        "_may_be_bare",
        "_received",
        "_size",
        "done",
        "rest",
    )

    may_be_left = False

    def __init__(
        self,
        asker: Asker,
        *,
        length: int | None = None,
        limit: int = 0,
        may_be_bare: bool = False,
    ) -> None:
        self._asker = asker
        self._length = length  # bytes of the body; None: until its end
        self._limit = limit  # of a body of unknown length; 0: none
        # lighttpd 1.4 leaves out the length that stands before the data.
        self._may_be_bare = may_be_bare
        self._is_bare = False
        self._received = 0
        self._buffer = bytearray()  # a packet, so far
        self._size = 0  # of that whole packet, as soon as it is known
        self.done = False
        self.rest = b""
        if length is None:
            self._ask()

    def feed(self, data: bytes) -> bytes:
        """Take wire bytes, return the payload in them.

        Raises ProtocolError: 400 for what is no packet of a body, or does not fit
        its length, 413 for a body longer than the limit.
        """
        if self.done:
            self.rest += data
            return b""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._size:
                return b""
            data = bytes(self._buffer)
            self._buffer.clear()
        return self._read_packets(data)

    def _read_packets(self, data: bytes) -> bytes:
        parts, at = [], 0
        while not self.done:
            size = ajp.measure(data[at : at + ajp.HEADER_SIZE], ajp.TO_CONTAINER)
            end = at + size
            if not size or end > len(data):
                self._buffer += data[at:]
                self._size = size
                break
            parts.append(self._unpack(data[at + ajp.HEADER_SIZE : end]))
            at = end
        else:
            self.rest = data[at:]
        return b"".join(parts)

    def _unpack(self, payload: bytes) -> bytes:
        """The data of a packet; then the next one is asked for."""
        if payload and not self._is_bare:
            payload = self._strip_length(payload)
        self._may_be_bare = False
        self._count(len(payload))
        if not self.done:
            self._ask()
        return payload

    def _strip_length(self, payload: bytes) -> bytes:
        data = payload[2:]
        if payload[:2] == ajp.NUMBER.pack(len(data)):
            return data
        if not self._may_be_bare:
            raise ProtocolError("malformed packet of a body")
        self._is_bare = True
        return payload

    def _count(self, size: int) -> None:
        self._received += size
        if self._length is None:
            self.done = not size
            if self._limit and self._received > self._limit:
                raise ProtocolError("body too long", status=413)
        elif self._received > self._length:
            raise ProtocolError("body longer than its Content-Length")
        elif not size:
            raise ProtocolError("body shorter than its Content-Length")
        else:
            self.done = self._received == self._length

    def _ask(self) -> None:
        size = ajp.MOST_BODY
        if self._length is not None:
            size = min(size, self._length - self._received)
        code = ajp.GET_BODY_CHUNK
        payload = bytes([code]) + ajp.NUMBER.pack(size)
        self._asker.replies += ajp.format_packet(ajp.TO_FRONT_END, payload)
