"""prefork.protocols.auto: the first byte tells what is spoken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.captures import Capture, captures_of
from serving.feeding import cut, hear, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.auto import PROTOCOL_OF, Auto
from prefork.protocols.request import Conversation, Request
from prefork.protocols.table import PROTOCOLS
from prefork.protocols.terms import Terms

REMOTE = {"REMOTE_ADDR": "192.0.2.1"}
TERMS = Terms(defaults={"SERVER_NAME": "localhost", "SERVER_PORT": "80"})

# The same request in each protocol.
PAIRS = {
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/hello?a=b",
    "PATH_INFO": "/hello",
    "QUERY_STRING": "a=b",
    "SERVER_PROTOCOL": "HTTP/1.1",
}


def pack_scgi() -> bytes:
    pairs = {"CONTENT_LENGTH": "0", "SCGI": "1", **PAIRS}
    text = b"".join(f"{name}\0{value}\0".encode() for name, value in pairs.items())
    return b"%d:%b," % (len(text), text)


def pack_uwsgi() -> bytes:
    packet = b"".join(
        len(word).to_bytes(2, "little") + word.encode()
        for pair in PAIRS.items()
        for word in pair
    )
    return b"\0" + len(packet).to_bytes(2, "little") + b"\0" + packet


def pack_fastcgi() -> bytes:
    def record(kind: int, content: bytes) -> bytes:
        return bytes((1, kind, 0, 1, 0, len(content), 0, 0)) + content

    params = b"".join(
        bytes((len(name), len(value))) + (name + value).encode()
        for name, value in PAIRS.items()
    )
    begin = record(1, bytes((0, 1, 0, 0, 0, 0, 0, 0)))
    return begin + record(4, params) + record(4, b"") + record(5, b"")


def pack_ajp() -> bytes:
    def text(value: bytes) -> bytes:
        return len(value).to_bytes(2, "big") + value + b"\0"

    strings = [b"HTTP/1.1", b"/hello", b"192.0.2.1", b"", b"localhost"]
    message = b"\x02\x02" + b"".join(map(text, strings)) + b"\0\x50\0\0\0"
    message += b"\x05" + text(b"a=b") + b"\xff"
    return b"\x12\x34" + len(message).to_bytes(2, "big") + message


REQUESTS = {
    "http": b"GET /hello?a=b HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "scgi": pack_scgi(),
    "uwsgi": pack_uwsgi(),
    "fastcgi": pack_fastcgi(),
    "ajp": pack_ajp(),
}
every_request = pytest.mark.parametrize("data", REQUESTS.values(), ids=REQUESTS)


def feed(*pieces: bytes) -> tuple[Conversation, Request | None]:
    """Up to the first request, as a client (prefork.worker.client) would be."""
    conversation: Conversation = Auto(TERMS).converse(REMOTE)
    for data in pieces:
        request = conversation.feed(data)
        if conversation.successor is not None:
            conversation, rest = conversation.successor
            request = conversation.feed(rest)
        if request is not None:
            return conversation, request
    return conversation, None


def test_everything_is_told_apart_but_auto_itself() -> None:
    assert set(PROTOCOL_OF.values()) == set(REQUESTS) == set(PROTOCOLS) - {"auto"}


@every_request
@pytest.mark.parametrize("size", [1, 2, 7, 1 << 20])
def test_each_protocol_is_known_by_its_first_byte(data: bytes, size: int) -> None:
    pieces = [data[at : at + size] for at in range(0, len(data), size)]
    _, request = feed(*pieces)
    assert request is not None
    names = ("REQUEST_METHOD", "PATH_INFO", "QUERY_STRING")
    asked = [request.variables[name] for name in names]
    assert asked == ["GET", "/hello", "a=b"]


@every_request
def test_the_protocol_that_was_found_answers(data: bytes) -> None:
    conversation, request = feed(data)
    assert request is not None
    answer = conversation.answer(request, date="", keep_alive=False)
    assert b"hello" in answer.start("200 OK", [], b"hello", complete=True)


def test_an_empty_line_may_come_before_a_request_in_http() -> None:
    assert feed(b"\r", b"\n", REQUESTS["http"])[1] is not None


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "^TLS$"),
        (b"\x80\x2e\x01\x00\x02", "bytes of no known protocol"),
        (b"\n", "bytes of no known protocol"),
        (b"\x05", "bytes of no known protocol"),
    ],
)
def test_what_is_none_of_them_is_refused(data: bytes, reason: str) -> None:
    conversation = Auto(TERMS).converse(REMOTE)
    with pytest.raises(ProtocolError, match=reason) as caught:
        conversation.feed(data)
    assert conversation.refuse(caught.value, date="") == b""


def test_a_connection_without_a_byte_is_idle() -> None:
    assert Auto(TERMS).converse(REMOTE).is_idle


CAPTURES = captures_of("http", "scgi", "uwsgi", "fastcgi", "ajp13")


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_what_web_servers_send_is_understood_as_by_its_own_protocol(
    capture: Capture,
) -> None:
    protocol = {"ajp13": "ajp"}.get(capture.protocol, capture.protocol)
    own = outcome(protocol, capture.data)
    # What that one refuses may be another's: one capture bears the wrong name.
    assert isinstance(own, str) or outcome("auto", capture.data) == own


def outcome(protocol: str, data: bytes) -> object:
    """What is heard; or why nothing is."""
    try:
        return hear(open_conversation(protocol), cut(data, 1 << 20))
    except ProtocolError as error:
        return error.reason


@given(st.binary(min_size=1))
def test_whatever_comes_is_a_request_or_an_error(data: bytes) -> None:
    try:
        feed(data)
    except ProtocolError:
        pass
