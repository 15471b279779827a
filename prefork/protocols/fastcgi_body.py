"""The body of a FastCGI request: the streams behind PARAMS, each to its end."""

from collections.abc import Callable

from prefork.errors import ProtocolError, RequestAborted
from prefork.protocols.fastcgi_records import (
    DATA,
    HEADER,
    KINDS,
    PARAMS,
    STDIN,
    VERSION,
)

Heed = Callable[[int, int, bytes], None]
STREAMS = {PARAMS, STDIN, DATA}
ABORTED = "the front end has aborted the request"


class StreamsBody:
    """STDIN, and for a Filter DATA behind it, read as one.

    It may be left before its end, when it is answered: what is still to come of it
    says which request it is of, and that is over.

    The end of a stream is an empty record, not a count of bytes; where there is a
    count it must be right.  Other records may stand in between: `heed(kind,
    request, content)` takes them.  What arrives of a stream is passed on at once,
    however large its record.
    """

    __slots__ = (
        "_buffer",
        "_heed",
        "_kind",
        "_left",
        "_limit",
        "_padding",
        "_request",
        "_rest",
        "_size",
        "_sizes",
        "_total",
        "_want",
        "done",
        "may_be_left",
    )

    def __init__(
        self, request: int, sizes: dict[int, int | None], *, limit: int, heed: Heed
    ) -> None:
        """`sizes`: for each stream in order how long it must be; None: any."""
        self._request = request
        self._sizes = sizes
        self._kind = next(iter(sizes))  # of the stream that is being read
        self._limit = limit  # bytes of all streams; 0: none
        self._heed = heed
        self._total = 0  # bytes of all streams
        self._size = 0  # of this one
        self._left = 0  # bytes of the content of its record that have not arrived
        self._padding = 0  # the same of what follows
        self._buffer = bytearray()  # the beginning of a record that is read whole
        self._want = 0  # bytes until it is worth another look
        self._rest = b""  # what followed the end, or an abort
        self.done = False
        self.may_be_left = True

    @property
    def rest(self) -> bytes:
        """What the conversation is to be fed after this."""
        if self._rest or not (self._left or self._padding):
            return self._rest or bytes(self._buffer)
        # What is still to come of a record is, behind a header of its own, one too.
        left, padding = self._left, self._padding
        return HEADER.pack(VERSION, self._kind, self._request, left, padding)

    def feed(self, data: bytes) -> bytes:
        """Take wire bytes, return the payload in them.

        Raises ProtocolError: 400 for a stream that is not as long as was said,
        413 for one longer than the limit; and RequestAborted.
        """
        if self.done:
            self._rest += data
            return b""
        if self._rest:
            self._rest += data
            raise RequestAborted(ABORTED)
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._want:
                return b""
            data = bytes(self._buffer)
            self._buffer.clear()
        self.may_be_left = False  # unless this goes well
        payload = self._read(data)
        self.may_be_left = True
        return payload

    def _read(self, data: bytes) -> bytes:
        pieces: list[bytes] = []
        at, size = 0, len(data)
        while at < size and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                pieces.append(piece)
                step = len(piece)
                self._left -= step
            elif self._padding:
                step = min(self._padding, size - at)
                self._padding -= step
            else:
                step = self._read_record(data, at)
                if not step:
                    self._buffer += data[at:]
                    break
            at += step
        if self.done:
            self._rest = data[at:]
        return b"".join(pieces)

    def _read_record(self, data: bytes, at: int) -> int:
        """Read a record, or its header; returns how many bytes, 0 for too few."""
        if data[at] != VERSION:
            raise ProtocolError("not FastCGI 1")
        here = len(data) - at
        if here < HEADER.size:
            self._want = HEADER.size
            return 0
        _, kind, request, length, padding = HEADER.unpack_from(data, at)
        is_ours = kind == self._kind and request == self._request
        if is_ours and length:
            self._count(length)
            self._left, self._padding = length, padding
            return HEADER.size
        whole: int = HEADER.size + length + padding
        if here < whole:
            self._want = whole
            return 0
        if is_ours:
            self._end_stream()
        elif request == self._request and kind in STREAMS:
            raise ProtocolError(f"{KINDS[kind]} instead of {KINDS[self._kind]}")
        else:
            content = data[at + HEADER.size : at + HEADER.size + length]
            self._pass_on(kind, request, content, data[at:])
        return whole

    def _pass_on(self, kind: int, request: int, content: bytes, rest: bytes) -> None:
        """Have somebody else take a record; `rest`: that one, and what follows."""
        try:
            self._heed(kind, request, content)
        except RequestAborted:
            self._rest = rest
            self.may_be_left = True
            raise

    def _count(self, length: int) -> None:
        self._size += length
        self._total += length
        if self._limit and self._total > self._limit:
            raise ProtocolError("body too long", status=413)
        promised = self._sizes[self._kind]
        if promised is not None and self._size > promised:
            raise ProtocolError(f"{KINDS[self._kind]} longer than was announced")

    def _end_stream(self) -> None:
        # FastCGI specification 6.2: a Responder "should compare the number of bytes
        # received on FCGI_STDIN with CONTENT_LENGTH and abort the update if the two
        # numbers are not equal."  Less means that the client has left in the middle.
        promised = self._sizes.pop(self._kind)
        if promised is not None and self._size != promised:
            raise ProtocolError(f"{KINDS[self._kind]} shorter than was announced")
        self._size = 0
        self._kind = next(iter(self._sizes), 0)
        self.done = not self._kind
