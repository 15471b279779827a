"""FastCGI 1.0 on the wire: records, and the name-value pairs in them.

Both directions: what a server reads and writes, and what whoever asks one does.
"FastCGI specification" below is that of 1996, by its section.
"""

import struct

from prefork.errors import ProtocolError

VERSION = 1

# FastCGI specification 8: values for the type of a record
BEGIN_REQUEST = 1
ABORT_REQUEST = 2
END_REQUEST = 3
PARAMS = 4
STDIN = 5
STDOUT = 6
STDERR = 7
DATA = 8
GET_VALUES = 9
GET_VALUES_RESULT = 10
UNKNOWN_TYPE = 11

KINDS = {
    BEGIN_REQUEST: "BEGIN_REQUEST",
    ABORT_REQUEST: "ABORT_REQUEST",
    END_REQUEST: "END_REQUEST",
    PARAMS: "PARAMS",
    STDIN: "STDIN",
    STDOUT: "STDOUT",
    STDERR: "STDERR",
    DATA: "DATA",
    GET_VALUES: "GET_VALUES",
    GET_VALUES_RESULT: "GET_VALUES_RESULT",
    UNKNOWN_TYPE: "UNKNOWN_TYPE",
}

# The role and the flags of a BEGIN_REQUEST
RESPONDER = 1
AUTHORIZER = 2
FILTER = 3
ROLES = {RESPONDER: "RESPONDER", AUTHORIZER: "AUTHORIZER", FILTER: "FILTER"}
KEEP_CONN = 1

# The protocol status of an END_REQUEST
REQUEST_COMPLETE = 0
CANT_MPX_CONN = 1
OVERLOADED = 2
UNKNOWN_ROLE = 3

# version, type, request id, length of content, length of padding; one reserved
HEADER = struct.Struct("!BBHHBx")
HEADER_SIZE = HEADER.size
read_header = HEADER.unpack_from
BEGIN = struct.Struct("!HB5x")  # role, flags
END = struct.Struct("!IB3x")  # status of the application, of the protocol
# An empty record, which ends a stream, and an END_REQUEST behind it
STREAM_AND_REQUEST_END = struct.Struct("!BBHHBxBBHHBxIB3x")

MOST = 65535  # bytes of content in a record
LONGEST_PIECE = 65528  # the same, for streams: a multiple of 8, as is recommended


def format_record(kind: int, request: int, content: bytes = b"") -> bytes:
    """One record; `request` is 0 for those of the connection itself."""
    return HEADER.pack(VERSION, kind, request, len(content), 0) + content


def format_stream(kind: int, request: int, data: bytes) -> bytes:
    """Bytes of a stream in as many records as they need; its end is not among them."""
    if len(data) <= MOST:
        return HEADER.pack(VERSION, kind, request, len(data), 0) + data if data else b""
    pieces: list[bytes] = []
    for at in range(0, len(data), LONGEST_PIECE):
        piece = data[at : at + LONGEST_PIECE]
        pieces += (HEADER.pack(VERSION, kind, request, len(piece), 0), piece)
    return b"".join(pieces)


def format_begin(request: int, *, role: int = RESPONDER, keep: bool = False) -> bytes:
    flags = KEEP_CONN if keep else 0
    return format_record(BEGIN_REQUEST, request, BEGIN.pack(role, flags))


def format_end(
    request: int, *, application: int = 0, protocol: int = REQUEST_COMPLETE
) -> bytes:
    """`application`: what exit(2) would have said; `protocol`: how it went."""
    return format_record(END_REQUEST, request, END.pack(application, protocol))


def format_last(request: int, *, application: int, protocol: int) -> bytes:
    """The end of STDOUT and of the request."""
    stream = VERSION, STDOUT, request, 0, 0
    end = VERSION, END_REQUEST, request, END.size, 0
    return STREAM_AND_REQUEST_END.pack(*stream, *end, application, protocol)


# Name-value pairs: FastCGI specification 3.4


def parse_pairs(data: bytes) -> list[tuple[str, str]]:
    """The pairs of a whole stream, or of a GET_VALUES, in latin-1.  ProtocolError.

    Hot: all of a request but its body comes through here.
    """
    text = data.decode("latin-1")
    pairs = []
    at, end = 0, len(data)
    try:
        while at < end:
            # "Lengths of 127 bytes and less can be encoded in one byte, while
            # longer lengths are always encoded in four bytes"
            name_size = data[at]
            at += 1
            if name_size > 127:
                name_size = _read_long(data, at - 1)
                at += 3
            value_size = data[at]
            at += 1
            if value_size > 127:
                value_size = _read_long(data, at - 1)
                at += 3
            value_at = at + name_size
            name = text[at:value_at]
            at = value_at + value_size
            pairs.append((name, text[value_at:at]))
    except (IndexError, struct.error):
        raise ProtocolError("a pair ends in the middle of its lengths") from None
    if at > end:
        raise ProtocolError("a pair is longer than what carries it")
    return pairs


def format_abortion(request: int) -> bytes:
    """What an ABORT_REQUEST begins with, whatever its padding."""
    return HEADER.pack(VERSION, ABORT_REQUEST, request, 0, 0)[:4]


def find_client(data: bytes) -> tuple[int, int]:
    """Where REMOTE_ADDR seems to begin, and REMOTE_PORT to end."""
    start = data.find(b"REMOTE_ADDR") - 2  # in front of the two lengths
    end = data.find(b"REMOTE_PORT")
    if start < 0 or end < start:
        return -1, -1
    return start, end + len(b"REMOTE_PORT") + data[end - 1]


def _read_long(data: bytes, at: int) -> int:
    size: int = struct.unpack_from("!I", data, at)[0]
    return size & 0x7FFFFFFF


def format_pairs(pairs: list[tuple[str, str]]) -> bytes:
    """The same the other way; the text is latin-1."""
    parts: list[bytes] = []
    for name, value in pairs:
        parts += (_format_size(len(name)), _format_size(len(value)))
        parts += (name.encode("latin-1"), value.encode("latin-1"))
    return b"".join(parts)


def _format_size(size: int) -> bytes:
    return struct.pack("!I", size | 0x80000000) if size > 127 else bytes((size,))
