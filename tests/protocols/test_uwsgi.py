"""The uwsgi protocol: what is taken, what is refused and why, how it is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.feeding import SIZES, Heard, cut, hear, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.terms import Limits
from prefork.protocols.uwsgi import parse_pairs

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def text(value: str) -> bytes:
    return len(value).to_bytes(2, "little") + value.encode("latin-1")


def packet(pairs: bytes, *, modifier1: int = 0, modifier2: int = 0) -> bytes:
    size = len(pairs).to_bytes(2, "little")
    return bytes([modifier1]) + size + bytes([modifier2]) + pairs


def message(body: bytes = b"", **variables: str) -> bytes:
    basis = {"REQUEST_METHOD": "GET", "CONTENT_LENGTH": str(len(body) or "")}
    pairs = (basis | variables).items()
    return packet(b"".join(text(name) + text(value) for name, value in pairs)) + body


def read(wire: bytes, limits: Limits | None = None) -> Heard:
    (heard,) = hear(open_conversation("uwsgi", limits=limits), [wire])
    return heard


def test_a_request_is_its_pairs_and_its_body() -> None:
    heard = read(message(b"hello", REQUEST_METHOD="POST", PATH_INFO="/caf\xe9"))
    assert heard == Heard(
        {
            "REQUEST_METHOD": "POST",
            "CONTENT_LENGTH": "5",
            "PATH_INFO": "/caf\xe9",
            "SCRIPT_NAME": "",
            "QUERY_STRING": "",
            "REQUEST_URI": "/caf%E9",
            "RAW_URI": "/caf%E9",
            "REMOTE_ADDR": "",
            "REMOTE_PORT": "7",
            "SERVER_NAME": "here",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "SERVER_SOFTWARE": "prefork",
            "GATEWAY_INTERFACE": "CGI/1.1",
        },
        b"hello",
        is_whole=True,
    )


@pytest.mark.parametrize("size", SIZES)
def test_a_request_is_the_same_in_any_cutting(size: int) -> None:
    wire = message(b"hello" * 50, REQUEST_METHOD="POST", HTTP_X="y" * 300)
    (heard,) = hear(open_conversation("uwsgi"), cut(wire, size))
    assert heard.body == b"hello" * 50
    assert heard.variables["HTTP_X"] == "y" * 300


TEXT = st.text(st.characters(max_codepoint=255), max_size=600)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_whatever_is_packed_comes_out(pairs: list[tuple[str, str]]) -> None:
    wire = b"".join(text(name) + text(value) for name, value in pairs)
    assert parse_pairs(wire) == pairs


@given(st.binary(max_size=100))
def test_any_bytes_are_pairs_or_a_protocol_error(data: bytes) -> None:
    try:
        pairs = parse_pairs(data)
    except ProtocolError:
        return
    assert b"".join(text(name) + text(value) for name, value in pairs) == data


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "modifier1 is 71"),
        (b"\x05", "modifier1 is 5"),  # PSGI
        (b"\x09\x10\0\0", "modifier1 is 9"),  # CGI
        (b"\xff", "modifier1 is 255"),
        (packet(b"\1"), "variable longer than its packet"),
        (packet(b"\1\0"), "variable longer than its packet"),
        (packet(b"\1\0A"), "variable longer than its packet"),
        (packet(b"\1\0A\1"), "variable longer than its packet"),
        (packet(b"\1\0A\1\0"), "variable longer than its packet"),
        (packet(b"\xff\xffA\1\0B"), "variable longer than its packet"),
        (packet(b"\1\0A\xff\xffB"), "variable longer than its packet"),
        (packet(b"\1\0A\1\0BC"), "variable longer than its packet"),
        (packet(b"\0\0\1\0B"), "malformed name"),
        (packet(b"\3\0A=B\1\0B"), "malformed name"),
        (packet(b"\3\0A\0B\1\0B"), "malformed name"),
        (packet(b"\1\0A\3\0B\0C"), "NUL in a variable"),
        (packet(b""), "no method"),
        (message(REQUEST_METHOD="get"), "malformed REQUEST_METHOD"),
        (message(CONTENT_LENGTH="0x1"), "malformed CONTENT_LENGTH"),
        (message(CONTENT_LENGTH="1073741825"), "body too long"),
        (message(HTTP_TRANSFER_ENCODING="chunked"), "chunked body without"),
        (packet(text("A") * 2 * 1001), "too many variables"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_malformed_is_refused(wire: bytes, reason: str, size: int) -> None:
    with pytest.raises(ProtocolError, match=reason):
        hear(open_conversation("uwsgi"), cut(wire, size))


def test_a_packet_may_be_as_long_as_the_limit() -> None:
    wire = message(HTTP_X="y" * 100)
    size = len(wire) - 4
    assert read(wire, Limits(variables_size=size)).is_whole
    with pytest.raises(ProtocolError, match="packet too long") as refused:
        read(wire, Limits(variables_size=size - 1))
    assert refused.value.status == 431


def test_a_packet_of_64_kib_is_taken() -> None:
    room = 65535 - len(message(HTTP_X="")) + 4
    assert len(read(message(HTTP_X="y" * room)).variables["HTTP_X"]) == room


def test_an_application_of_another_kind_is_refused_as_not_implemented() -> None:
    conversation = open_conversation("uwsgi")
    with pytest.raises(ProtocolError) as refused:
        conversation.feed(packet(b"", modifier1=7))
    assert refused.value.status == 501
    answer = conversation.refuse(refused.value, date=DATE)
    assert answer.startswith(b"HTTP/1.1 501 Not Implemented\r\n")


def test_a_chunked_body_needs_a_length() -> None:
    conversation = open_conversation("uwsgi")
    with pytest.raises(ProtocolError) as refused:
        conversation.feed(message(HTTP_TRANSFER_ENCODING="chunked"))
    answer = conversation.refuse(refused.value, date=DATE)
    assert answer.startswith(b"HTTP/1.1 411 Length Required\r\n")


def test_the_second_modifier_and_variables_of_uwsgi_mean_nothing() -> None:
    """They make uWSGI load code: UWSGI_FILE, UWSGI_MODULE."""
    wire = bytearray(message(UWSGI_FILE="/tmp/x.py", UWSGI_SCRIPT="x"))
    wire[3] = 9
    assert read(bytes(wire)).variables["UWSGI_FILE"] == "/tmp/x.py"


@pytest.mark.parametrize("size", SIZES)
def test_a_ping_is_answered_and_all_is_said(size: int) -> None:
    conversation = open_conversation("uwsgi")
    replies = b""
    for piece in cut(packet(b"abc", modifier1=100), size):
        assert conversation.feed(piece) is None
        replies, conversation.replies = replies + conversation.replies, b""
    assert replies == b"\x64\0\0\1"
    assert conversation.is_over


def test_an_answer_begins_as_in_http() -> None:
    conversation = open_conversation("uwsgi")
    request = conversation.feed(message())
    assert request
    answer = conversation.answer(request, date=DATE, keep_alive=True)
    assert not answer.keep_alive
    headers = [("Content-Type", "text/plain")]
    assert answer.start("404 Not Found", headers, b"no", complete=True) == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 2\r\n\r\nno"
    )
