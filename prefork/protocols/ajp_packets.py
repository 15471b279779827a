"""AJP13's packets, both ways: their codes, their strings, how they are cut.

A front end sends packets that begin 12 34, and a container, which is what AJP calls
us, ones that begin with the letters AB; then comes the length of the payload.  The
payload begins with a code, but for packets of a body, which have none.  Numbers are
big-endian; a string is its length, its bytes and a NUL, or 0xFFFF if it is null.
"""

from struct import Struct

from prefork.errors import ProtocolError

TO_CONTAINER = b"\x12\x34"
TO_FRONT_END = b"AB"
HEADER_SIZE = 4

# To the container
FORWARD_REQUEST = 2
SHUTDOWN = 7
PING = 8
CPING = 10

# To the front end
SEND_BODY_CHUNK = 3
SEND_HEADERS = 4
END_RESPONSE = 5
GET_BODY_CHUNK = 6
CPONG = 9

# A packet has 8192 bytes, unless both sides were configured otherwise; Apache
# answers 503 for a longer one.
LONGEST_PAYLOAD = 8192 - HEADER_SIZE
MOST_DATA = LONGEST_PAYLOAD - 4  # of an answer: the code, a length and a NUL
MOST_BODY = LONGEST_PAYLOAD - 2  # of a request: a length

NULL = 0xFFFF
CODED_HEADER = 0xA0  # where a name's length would begin: a code follows
STORED_METHOD = 0xFF  # the method stands in an attribute

METHODS = dict(
    enumerate(
        "OPTIONS GET HEAD POST PUT DELETE TRACE PROPFIND PROPPATCH MKCOL COPY MOVE "
        "LOCK UNLOCK ACL REPORT VERSION-CONTROL CHECKIN CHECKOUT UNCHECKOUT SEARCH "
        "MKWORKSPACE UPDATE LABEL MERGE BASELINE-CONTROL MKACTIVITY".split(),
        start=1,
    )
)

REQUEST_HEADERS = dict(
    enumerate(
        "Accept Accept-Charset Accept-Encoding Accept-Language Authorization "
        "Connection Content-Type Content-Length Cookie Cookie2 Host Pragma Referer "
        "User-Agent".split(),
        start=1,
    )
)

ANSWER_HEADERS = dict(
    enumerate(
        "Content-Type Content-Language Content-Length Date Last-Modified Location "
        "Set-Cookie Set-Cookie2 Servlet-Engine Status WWW-Authenticate".split(),
        start=1,
    )
)

# Attributes of a request; two are no strings, and one says that there are no more.
REQUEST_ATTRIBUTE = 0x0A  # a name and a value
SSL_KEY_SIZE = 0x0B  # a number
SECRET = 0x0C
METHOD = 0x0D
NO_MORE = 0xFF
ATTRIBUTES = {
    0x01: "context",
    0x02: "servlet_path",
    0x03: "remote_user",
    0x04: "auth_type",
    0x05: "query_string",
    0x06: "jvm_route",
    0x07: "ssl_cert",
    0x08: "ssl_cipher",
    0x09: "ssl_session",
    SECRET: "secret",
    METHOD: "stored_method",
}

NUMBER = Struct("!H")


def format_packet(magic: bytes, payload: bytes) -> bytes:
    """A packet of a payload that fits; ValueError of one that cannot."""
    if len(payload) > NULL:
        raise ValueError("packet too long")
    return magic + NUMBER.pack(len(payload)) + payload


def format_string(text: bytes | None) -> bytes:
    """A string on the wire; ValueError of one that cannot be there."""
    if text is None:
        return b"\xff\xff"
    if len(text) >= NULL:
        raise ValueError("string too long")
    return b"%b%b\0" % (NUMBER.pack(len(text)), text)


def format_body(data: bytes) -> bytes:
    """A packet of a request's body; of no data: its end."""
    return format_packet(TO_CONTAINER, NUMBER.pack(len(data)) + data)


def measure(data: bytes | bytearray, magic: bytes) -> int:
    """Bytes of the packet that `data` begins; 0: too few of them to tell."""
    if data[:2] != magic[: len(data)]:
        raise ProtocolError("not a packet of AJP13")
    if len(data) < HEADER_SIZE:
        return 0
    return HEADER_SIZE + (data[2] << 8 | data[3])


def read_string(payload: bytes, text: str, at: int) -> tuple[str | None, int]:
    """The string at `at`, and where the next thing begins; IndexError beyond the end.

    `text` is the payload in latin-1: decoded once, a string of it is a slice.
    """
    size = payload[at] << 8 | payload[at + 1]
    at += 2
    if size == NULL:
        return None, at
    end = at + size
    if payload[end]:
        raise ProtocolError("string without its NUL")
    return text[at:end], end + 1
