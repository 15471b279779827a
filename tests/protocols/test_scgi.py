"""SCGI: what is taken, what is refused and why, and how it is answered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.feeding import SIZES, Heard, cut, hear, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.request import Request
from prefork.protocols.scgi import Scgi
from prefork.protocols.terms import Limits, Terms

BASIS = {"CONTENT_LENGTH": "0", "SCGI": "1", "REQUEST_METHOD": "GET"}
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"


def pack(pairs: list[tuple[str, str]], body: bytes = b"") -> bytes:
    text = "".join(f"{name}\0{value}\0" for name, value in pairs).encode("latin-1")
    return b"%d:%b,%b" % (len(text), text, body)


def message(body: bytes = b"", **variables: str) -> bytes:
    length = {"CONTENT_LENGTH": str(len(body))}
    return pack(list((BASIS | length | variables).items()), body)


def read(wire: bytes, limits: Limits | None = None) -> Heard:
    (heard,) = hear(open_conversation("scgi", limits=limits), [wire])
    return heard


def test_the_example_of_the_specification_is_understood() -> None:
    heard = read(
        b"70:CONTENT_LENGTH\x0027\0SCGI\x001\0REQUEST_METHOD\0POST\0"
        b"REQUEST_URI\0/deepthought\0,What is the answer to life?"
    )
    assert heard.body == b"What is the answer to life?"
    assert heard.is_whole
    assert heard.variables == {
        "CONTENT_LENGTH": "27",
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": "/deepthought",
        "RAW_URI": "/deepthought",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/deepthought",
        "QUERY_STRING": "",
        "REMOTE_ADDR": "",
        "REMOTE_PORT": "7",
        "SERVER_NAME": "here",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "prefork",
        "GATEWAY_INTERFACE": "CGI/1.1",
    }


@pytest.mark.parametrize("size", SIZES)
def test_a_request_is_the_same_in_any_cutting(size: int) -> None:
    wire = message(b"hello" * 50, REQUEST_METHOD="POST", HTTP_X="y" * 300)
    (heard,) = hear(open_conversation("scgi"), cut(wire, size))
    assert heard.body == b"hello" * 50
    assert heard.variables["HTTP_X"] == "y" * 300


TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=300)
NAMES = st.text(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), min_size=1).map(
    "X{}".format
)


@given(st.dictionaries(NAMES, TEXT), st.binary(max_size=300), st.integers(1, 400))
def test_whatever_is_packed_comes_out(
    extra: dict[str, str], body: bytes, size: int
) -> None:
    wire = message(body, **extra)
    (heard,) = hear(open_conversation("scgi"), cut(wire, size))
    assert heard.body == body
    assert extra.items() <= heard.variables.items()


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "malformed netstring length"),
        (b":", "malformed netstring length"),
        (b"-1:", "malformed netstring length"),
        (b"+1:", "malformed netstring length"),
        (b" 1:", "malformed netstring length"),
        (b"1 :", "malformed netstring length"),
        (b"\xb21:", "malformed netstring length"),
        (b"01", "malformed netstring length"),
        (b"024:CONTENT_LENGTH\x000\0SCGI\x001\0,", "malformed netstring length"),
        (b"262145:", "netstring too long"),
        (b"9999999999", "netstring too long"),
        (b"24:CONTENT_LENGTH\x000\0SCGI\x001\0;", "netstring longer than its length"),
        (b"23:CONTENT_LENGTH\x000\0SCGI\x001\0,", "netstring longer than its length"),
        (b"25:CONTENT_LENGTH\x000\0SCGI\x001\0,,", "variable without its end"),
        (b"0:,", "no variable SCGI"),
        (b"1:\0,", "variable without its end"),
        (b"2:\0\0,", "malformed name"),
        (b"23:CONTENT_LENGTH\x000\0SCGI\x001,", "variable without its end"),
        (b"22:CONTENT_LENGTH\x000\0SCGI\0,", "variable without its end"),
        (pack([("CONTENT_LENGTH", "0")]), "no variable SCGI"),
        (message(SCGI="2"), "no variable SCGI"),
        (pack([("SCGI", "1"), ("REQUEST_METHOD", "GET")]), "no CONTENT_LENGTH"),
        (message(CONTENT_LENGTH="1a"), "malformed CONTENT_LENGTH"),
        (message(CONTENT_LENGTH="+1"), "malformed CONTENT_LENGTH"),
        (message(CONTENT_LENGTH="1" * 19), "malformed CONTENT_LENGTH"),
        (message(CONTENT_LENGTH="1073741825"), "body too long"),
        (message(REQUEST_METHOD=""), "no method"),
        (message(REQUEST_METHOD="GET /"), "malformed REQUEST_METHOD"),
        (message(**{"A=B": "c"}), "malformed name"),
        (pack([*BASIS.items(), *[("X", "")] * 1000]), "too many variables"),
        (
            pack([("SCGI", "1"), ("HTTP_TRANSFER_ENCODING", "chunked")]),
            "no CONTENT_LENGTH",
        ),
        (
            message(CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked"),
            "chunked body without CONTENT_LENGTH",
        ),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_malformed_is_refused(wire: bytes, reason: str, size: int) -> None:
    with pytest.raises(ProtocolError, match=reason):
        hear(open_conversation("scgi"), cut(wire, size))


def test_a_limit_is_one_for_its_message() -> None:
    wire = message(HTTP_X="y" * 200)
    limits = Limits(variables_size=100)
    with pytest.raises(ProtocolError, match="netstring too long") as refused:
        read(wire, limits)
    assert refused.value.status == 431
    with pytest.raises(ProtocolError, match="too many variables"):
        read(wire, Limits(variables=3))
    assert read(wire, Limits(variables=4)).is_whole
    with pytest.raises(ProtocolError, match="body too long") as refused:
        read(message(b"12345"), Limits(body=4))
    assert refused.value.status == 413


def test_a_variable_that_came_twice_is_the_last_one() -> None:
    pairs = [*BASIS.items(), ("SCRIPT_NAME", "/a"), ("SCRIPT_NAME", "/b")]
    heard = read(pack([*pairs, ("PATH_INFO", "/c")]))
    assert heard.variables["SCRIPT_NAME"] == "/b"


@pytest.mark.parametrize("at", range(4))
def test_the_mark_of_scgi_may_be_anywhere(at: int) -> None:
    pairs = [("CONTENT_LENGTH", "0"), ("REQUEST_METHOD", "GET"), ("PATH_INFO", "/")]
    pairs.insert(at, ("SCGI", "1"))
    assert "SCGI" not in read(pack(pairs)).variables


# ---- nginx before 1.29.6, with `scgi_request_buffering off`


@pytest.mark.parametrize(
    ("said", "field", "meant"),
    [
        ("5", "11", "11"),
        ("11", "11", "11"),
        ("11", "5", "11"),
        ("0", "11", "11"),
        ("5", "many", "5"),
        ("5", "", "5"),
    ],
)
def test_the_body_is_as_long_as_the_client_said(
    said: str, field: str, meant: str
) -> None:
    pieces = [message(CONTENT_LENGTH=said, HTTP_CONTENT_LENGTH=field), b"first"]
    (heard,) = hear(open_conversation("scgi"), [*pieces, b"second"])
    assert heard.variables["CONTENT_LENGTH"] == meant
    assert heard.body == b"firstsecond"[: int(meant)]
    assert "HTTP_CONTENT_LENGTH" not in heard.variables


# ---- the connection


def test_a_connection_without_a_byte_is_idle() -> None:
    conversation = open_conversation("scgi")
    assert conversation.is_idle
    assert conversation.feed(b"7") is None
    assert not conversation.is_idle


def test_a_request_that_is_refused_is_still_named() -> None:
    wire = message(b"12345", REQUEST_URI="/x?y", SERVER_PROTOCOL="HTTP/1.1")
    conversation = open_conversation("scgi", limits=Limits(body=4))
    assert conversation.request_line == ""
    with pytest.raises(ProtocolError):
        conversation.feed(wire)
    assert conversation.request_line == "GET /x?y HTTP/1.1"


def test_what_is_fed_is_looked_at_once() -> None:
    """A netstring that arrives byte by byte costs a few moves a byte."""
    scgi = Scgi(Terms())
    measured = []
    measure = scgi.measure
    scgi.measure = lambda data: measured.append(len(data)) or measure(data)  # type: ignore
    wire = message(HTTP_X="y" * 5000)
    (heard,) = hear(scgi.converse({}), cut(wire, 1))
    assert len(heard.variables["HTTP_X"]) == 5000
    assert sum(measured) < len(wire) + 30


# ---- the answer


def ask(method: str = "GET") -> Request:
    conversation = open_conversation("scgi")
    request = conversation.feed(message(REQUEST_METHOD=method))
    assert request
    return request


def test_an_answer_begins_with_its_status() -> None:
    conversation, request = open_conversation("scgi"), ask()
    answer = conversation.answer(request, date=DATE, keep_alive=True)
    assert not answer.keep_alive
    headers = [("Content-Type", "text/plain")]
    assert answer.start("404 Not Found", headers, b"no", complete=True) == (
        b"Status: 404 Not Found\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 2\r\n\r\nno"
    )


def test_an_answer_of_unknown_length_ends_with_the_connection() -> None:
    answer = open_conversation("scgi").answer(ask(), date=DATE, keep_alive=True)
    assert answer.start("200 OK", [], b"a", complete=False) == (
        b"Status: 200 OK\r\n\r\na"
    )
    assert answer.chunk(b"b") == b"b"
    assert answer.end() == b""


def test_a_file_is_sent_as_it_is() -> None:
    answer = open_conversation("scgi").answer(ask(), date=DATE, keep_alive=True)
    assert answer.start_file("200 OK", [], 5) == (
        b"Status: 200 OK\r\nContent-Length: 5\r\n\r\n",
        5,
    )


def test_no_body_follows_a_head() -> None:
    answer = open_conversation("scgi").answer(ask("HEAD"), date=DATE, keep_alive=True)
    assert answer.start("200 OK", [], b"body", complete=True).endswith(b"4\r\n\r\n")


def test_a_refusal_is_a_whole_answer() -> None:
    error = ProtocolError("too long", status=413)
    assert open_conversation("scgi").refuse(error, date=DATE) == (
        b"Status: 413 Content Too Large\r\nContent-Type: text/plain\r\n"
        b"Content-Length: 22\r\n\r\n413 Content Too Large\n"
    )
