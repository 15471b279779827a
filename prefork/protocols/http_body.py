"""The bodies of HTTP requests: by length, and in chunks (RFC 9112 6, 7.1)."""

from collections.abc import Callable

from prefork.errors import ProtocolError
from prefork.protocols.grammar import (
    CHUNK_LINE,
    CHUNK_LINE_SO_FAR,
    PLAIN_TEXT,
    TOKEN,
)

LONGEST_CHUNK_LINE = 16 + 256  # bytes: the size, and what extends it
MOST_EXTENSIONS = 16 << 10  # bytes of chunk extensions in one body
LONGEST_TRAILERS = 8 << 10  # bytes of all trailer fields together
MOST_TRAILERS = 32

# RFC 9110 6.5.1: "Many fields cannot be processed outside the header section
# because their evaluation is necessary prior to receiving the content, such as
# those that describe message framing, routing, authentication, request
# modifiers, response controls, or content format."
FORBIDDEN_TRAILERS = {
    "authorization",
    "connection",
    "content-encoding",
    "content-length",
    "content-range",
    "content-type",
    "cookie",
    "expect",
    "host",
    "keep-alive",
    "max-forwards",
    "proxy-authorization",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


class LengthBody:
    """A body as long as its Content-Length says."""

    __slots__ = ("done", "left", "rest")

    may_be_left = False

    def __init__(self, length: int) -> None:
        self.left = length  # bytes that have not arrived
        self.done = length == 0
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take wire bytes, return the payload in them."""
        excess = len(data) - self.left
        if excess < 0:
            self.left = -excess
            return data
        payload = data[: self.left]
        self.rest += data[self.left :]
        self.left = 0
        self.done = True
        return payload


class ChunkedBody:
    """A body in chunks; extensions and trailers are checked and dropped.

    `_read` is the position on the wire, as the function that reads what comes
    next there: size, data, end of data, size, …, trailers.  (Plain functions, not
    bound methods, which would make a reference cycle of each body.)
    """

    __slots__ = (
        "_at",
        "_buffer",
        "_extensions",
        "_left",
        "_limit",
        "_payload",
        "_read",
        "_size",
        "_trailers",
        "_trailers_size",
        "done",
        "rest",
    )

    may_be_left = False

    def __init__(self, *, limit: int = 0) -> None:
        self._limit = limit  # bytes of payload; 0: none
        self._size = 0  # of the payload that has been announced
        self._left = 0  # bytes of the current chunk that have not arrived
        self._extensions = 0  # bytes of them so far
        self._trailers = 0
        self._trailers_size = 0
        self._buffer = b""  # what cannot be read yet: part of a line at most
        self._at = 0  # how far the buffer has been read
        self._payload: list[bytes] = []
        self._read: Callable[[ChunkedBody], bool] = ChunkedBody._read_size
        self.done = False
        self.rest = b""

    def feed(self, data: bytes) -> bytes:
        """Take wire bytes, return the payload in them.

        Raises ProtocolError: 400 for bytes that are no chunks, 413 for a body
        longer than the limit.
        """
        if self.done:
            self.rest += data
            return b""
        self._buffer += data
        while self._read(self):
            pass
        self._buffer = self._buffer[self._at :]
        self._at = 0
        payload = b"".join(self._payload)
        self._payload.clear()
        if self.done:
            self.rest, self._buffer = self._buffer, b""
        return payload

    def _read_size(self) -> bool:
        end = self._buffer.find(b"\r\n", self._at, self._at + LONGEST_CHUNK_LINE + 2)
        if end < 0:
            self._check_unfinished_size()
            return False
        line = CHUNK_LINE.fullmatch(self._buffer, self._at, end)
        if not line:
            raise ProtocolError("malformed chunk size or extension")
        self._left = int(line["size"], 16)
        self._count(extensions=len(line["extensions"]))
        self._at = end + 2
        self._read = ChunkedBody._read_data if self._left else ChunkedBody._read_trailer
        return True

    def _check_unfinished_size(self) -> None:
        if len(self._buffer) - self._at > LONGEST_CHUNK_LINE + 1:
            raise ProtocolError("chunk size line too long")
        if not CHUNK_LINE_SO_FAR.fullmatch(self._buffer, self._at):
            raise ProtocolError("malformed chunk size or extension")

    def _count(self, *, extensions: int) -> None:
        self._size += self._left
        if self._limit and self._size > self._limit:
            raise ProtocolError("body too long", status=413)
        self._extensions += extensions
        if self._extensions > MOST_EXTENSIONS:
            raise ProtocolError("too many chunk extensions")

    def _read_data(self) -> bool:
        piece = self._buffer[self._at : self._at + self._left]
        self._payload.append(piece)
        self._at += len(piece)
        self._left -= len(piece)
        if self._left:
            return False
        self._read = ChunkedBody._read_data_end
        return True

    def _read_data_end(self) -> bool:
        end = self._buffer[self._at : self._at + 2]
        if end == b"\r\n":
            self._at += 2
            self._read = ChunkedBody._read_size
            return True
        if end in (b"", b"\r"):
            return False
        raise ProtocolError("chunk longer than its size")

    def _read_trailer(self) -> bool:
        end = self._buffer.find(b"\r\n", self._at)
        waiting = len(self._buffer) - self._at if end < 0 else end - self._at
        if self._trailers_size + waiting > LONGEST_TRAILERS:
            raise ProtocolError("trailers too long", status=431)
        if end < 0:
            self._check_unfinished_trailer()
            return False
        line, self._at = self._buffer[self._at : end], end + 2
        if not line:
            self.done = True
            return False
        self._trailers += 1
        self._trailers_size += len(line)
        if self._trailers > MOST_TRAILERS:
            raise ProtocolError("too many trailers", status=431)
        check_trailer(line.decode("latin-1"))
        return True

    def _check_unfinished_trailer(self) -> None:
        # A client that ends its lines with LF alone would wait for ever.
        if b"\n" in self._buffer[self._at :]:
            raise ProtocolError("bare LF in the trailers")


def check_trailer(line: str) -> None:
    """Refuse what is no trailer field (RFC 9110 6.5), or must not be one."""
    name, colon, value = line.partition(":")
    if not colon or not TOKEN.fullmatch(name):
        raise ProtocolError("malformed trailer name")
    if not PLAIN_TEXT.fullmatch(value):
        raise ProtocolError("control character in a trailer")
    if name.lower() in FORBIDDEN_TRAILERS:
        raise ProtocolError("field not allowed as a trailer")
