"""Lines `Name: value` up to an empty one, as everybody sends them, and bodies.

More is understood here than a server would take: lines may end in LF alone, and
what follows a field on lines that begin with a blank belongs to it.
"""

from prefork.errors import ProtocolError
from prefork.protocols.watching.events import Data, Pairs, Say, Unit
from prefork.protocols.watching.reader import Reading, Some, Through

LONGEST_LINE = 64 << 10  # bytes
LONGEST_HEAD = 256 << 10
MOST_LINES = 1000  # of a head
PIECE = 65536  # bytes of a body that are told at once


def read_line(what: str) -> Reading[str]:
    """One line without its end."""
    line = yield Through(b"\n", LONGEST_LINE, what)
    return line[:-1].removesuffix(b"\r").decode("latin-1")


def read_first_line(what: str) -> Reading[str | None]:
    """The same; None: the connection ended instead.  Empty ones are passed over."""
    while line := (yield Through(b"\n", LONGEST_LINE, what, may_end=True)):
        if text := line[:-1].removesuffix(b"\r").decode("latin-1"):
            return text
    return None


def read_fields(line: str | None = None) -> Reading[Pairs]:
    """The fields of a head; `line` is the first one, if it has been read."""
    pairs: list[tuple[str, str]] = []
    lines = size = 0
    if line is None:
        line = yield from read_line("a header field")
    while line:
        lines, size = lines + 1, size + len(line)
        if lines > MOST_LINES or size > LONGEST_HEAD:
            raise ProtocolError("too many header fields")
        if line[0] in " \t" and pairs:
            name, value = pairs.pop()
            pairs.append((name, f"{value} {line.strip()}"))
        else:
            pairs.append(split_field(line))
        line = yield from read_line("a header field")
    return tuple(pairs)


def split_field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ProtocolError(f"no header field: {line[:40]!r}")
    return name, value.strip(" \t")


def find(pairs: Pairs, name: str) -> str:
    """The last value of a field; "" if there is none.  `name` in lower case."""
    return next((v for n, v in reversed(pairs) if n.lower() == name), "")


def parse_length(text: str) -> int | None:
    """What a Content-Length says; None: nothing."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise ProtocolError(f"malformed Content-Length {text[:40]!r}")
    return int(text)


def read_sized(say: Say, number: int, left: int, what: str) -> Reading[None]:
    """A body of so many bytes; what is not all of them is the peer's failure."""
    while left:
        data = yield Some(min(left, PIECE))
        if not data:
            raise ProtocolError(f"{what} ended {left} bytes early")
        left -= len(data)
        say(Unit(number, "body", len(data)))
        say(Data(number, data))


def read_chunks(say: Say, number: int) -> Reading[None]:
    """A body in chunks (RFC 9112 7.1), with its trailers."""
    while size := parse_chunk_size((yield from read_line("a chunk size"))):
        say(Unit(number, "chunk", size))
        while size:
            data = yield Some(min(size, PIECE))
            if not data:
                raise ProtocolError(f"a chunk ended {size} bytes early")
            size -= len(data)
            say(Data(number, data))
        if (yield from read_line("the end of a chunk")):
            raise ProtocolError("a chunk longer than its size")
    say(Unit(number, "last chunk", 0))
    trailers = yield from read_fields()
    if trailers:
        say(Unit(number, "trailers", len(trailers)))


def parse_chunk_size(line: str) -> int:
    """Bytes of a chunk, by its first line; extensions are passed over."""
    text = line.partition(";")[0].strip(" \t")
    if not text.isalnum() or not text.isascii() or len(text) > 16:
        raise ProtocolError(f"malformed chunk size {line[:40]!r}")
    try:
        return int(text, 16)
    except ValueError:
        raise ProtocolError(f"malformed chunk size {line[:40]!r}") from None


def read_rest(say: Say, number: int) -> Reading[int]:
    """A body that the end of the connection ends; how long it was."""
    size = 0
    while data := (yield Some()):
        size += len(data)
        say(Unit(number, "body", len(data)))
        say(Data(number, data))
    return size
