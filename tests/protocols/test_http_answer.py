"""Answers over HTTP/1: how each is framed, and what cannot get out."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.protocols.http_answer import HttpAnswer
from prefork.protocols.http_body import ChunkedBody
from prefork.protocols.request import Headers, Request

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
REFUSED = r"^malformed|^control character|must be str|can't encode"
TEXT = ("Content-Type", "text/plain")


def new_answer(
    *,
    method: str = "GET",
    version: str = "1.1",
    client_keeps: bool = True,
    keep_alive: bool = True,
) -> HttpAnswer:
    variables = {"REQUEST_METHOD": method, "SERVER_PROTOCOL": f"HTTP/{version}"}
    request = Request(variables, body=None, rest=b"", keep_alive=client_keeps)
    return HttpAnswer(request, date=DATE, keep_alive=keep_alive)


def split(answer: bytes) -> tuple[list[str], bytes]:
    """The header lines below the status and Date, and the body."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")[1:]
    return [line for line in lines if line != f"Date: {DATE}"], body


def test_sends_head_and_body_in_one_piece() -> None:
    answer = new_answer()
    assert answer.start("200 OK", [TEXT], b"hello", complete=True) == (
        b"HTTP/1.1 200 OK\r\n"
        b"Content-Type: text/plain\r\n"
        b"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        b"Content-Length: 5\r\n"
        b"\r\n"
        b"hello"
    )
    assert answer.keep_alive
    assert answer.problem == ""
    assert answer.sent == 5


# ---- framing


def test_sends_chunks_when_the_length_is_not_known() -> None:
    answer = new_answer()
    lines, body = split(answer.start("200 OK", [], b"hello", complete=False))
    assert lines == ["Transfer-Encoding: chunked"]
    assert body == b"5\r\nhello\r\n"
    assert answer.chunk(b"") == b""
    assert answer.chunk(b"a" * 26) == b"1a\r\n" + b"a" * 26 + b"\r\n"
    assert answer.end() == b"0\r\n\r\n"
    assert answer.end() == b""
    assert answer.keep_alive
    assert answer.sent == 31


def test_sends_no_chunk_for_an_empty_start() -> None:
    lines, body = split(new_answer().start("200 OK", [], b"", complete=False))
    assert (lines, body) == (["Transfer-Encoding: chunked"], b"")


def test_ends_an_answer_to_http_1_0_by_closing() -> None:
    answer = new_answer(version="1.0")
    lines, body = split(answer.start("200 OK", [], b"he", complete=False))
    assert (lines, body) == (["Connection: close"], b"he")
    assert answer.chunk(b"llo") == b"llo"
    assert answer.end() == b""
    assert not answer.keep_alive
    assert answer.problem == ""


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_nothing_follows_the_end(version: str) -> None:
    """An application may keep its write(), and call it in the next answer."""
    answer = new_answer(version=version)
    answer.start("200 OK", [], b"all", complete=False)
    answer.end()
    assert answer.chunk(b"more") == b""


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=30), min_size=1, max_size=6))
def test_chunks_can_be_decoded(chunks: list[bytes]) -> None:
    answer = new_answer()
    _, body = split(answer.start("200 OK", [], b"", complete=False))
    decoder = ChunkedBody()
    wire = b"".join([body, *map(answer.chunk, chunks), answer.end()])
    assert decoder.feed(wire) == b"".join(chunks)
    assert decoder.done
    assert answer.sent == len(b"".join(chunks))


def test_says_that_an_empty_answer_is_empty() -> None:
    lines, body = split(new_answer().start("200 OK", [], b"", complete=True))
    assert (lines, body) == (["Content-Length: 0"], b"")


@pytest.mark.parametrize(
    ("version", "client_keeps", "server_keeps", "line"),
    [
        ("1.1", True, True, []),
        ("1.1", True, False, ["Connection: close"]),
        ("1.1", False, True, ["Connection: close"]),
        ("1.0", True, True, ["Connection: keep-alive"]),
        ("1.0", True, False, ["Connection: close"]),
        ("1.0", False, True, ["Connection: close"]),
    ],
)
def test_says_what_becomes_of_the_connection(
    version: str, client_keeps: bool, server_keeps: bool, line: list[str]
) -> None:
    answer = new_answer(
        version=version, client_keeps=client_keeps, keep_alive=server_keeps
    )
    lines, _ = split(answer.start("200 OK", [], b"x", complete=True))
    assert lines == ["Content-Length: 1", *line]
    assert answer.keep_alive is (client_keeps and server_keeps)


# ---- a Content-Length that the application has set


def test_cuts_what_is_longer_than_promised() -> None:
    answer = new_answer()
    headers = [("content-length", "5")]
    _, body = split(answer.start("200 OK", headers, b"hel", complete=False))
    assert body + answer.chunk(b"lo, world") + answer.chunk(b"!") == b"hello"
    assert answer.end() == b""
    assert answer.problem == "body longer than its Content-Length; cut"
    assert not answer.keep_alive
    assert answer.sent == 5


def test_closes_when_a_first_chunk_is_too_long() -> None:
    answer = new_answer()
    headers = [("Content-Length", "2")]
    lines, body = split(answer.start("200 OK", headers, b"hello", complete=False))
    assert lines == ["Content-Length: 2", "Connection: close"]
    assert body == b"he"


def test_closes_after_less_than_promised() -> None:
    answer = new_answer()
    answer.start("200 OK", [("Content-Length", "5")], b"hel", complete=False)
    assert answer.keep_alive
    assert answer.end() == b""
    assert answer.problem == "body 2 bytes shorter than its Content-Length"
    assert not answer.keep_alive


def test_sees_at_once_that_a_complete_body_is_too_short() -> None:
    answer = new_answer()
    headers = [("Content-Length", "5")]
    lines, _ = split(answer.start("200 OK", headers, b"hel", complete=True))
    assert lines == ["Content-Length: 5", "Connection: close"]
    assert "shorter" in answer.problem


@pytest.mark.parametrize("value", ["", "five", "+5", "-1", "5 ", "0x5", "5,5", "\xb2"])
def test_refuses_a_length_that_is_none(value: str) -> None:
    with pytest.raises(ValueError, match="Content-Length"):
        new_answer().start("200 OK", [("Content-Length", value)], b"", complete=True)


def test_refuses_two_lengths() -> None:
    headers = [("Content-Length", "5"), ("content-length", "5")]
    with pytest.raises(ValueError, match="two"):
        new_answer().start("200 OK", headers, b"hello", complete=True)


# ---- answers without a body


@pytest.mark.parametrize(
    ("method", "status", "headers", "chunk", "expected"),
    [
        ("HEAD", "200 OK", [("Content-Length", "9")], b"", ["Content-Length: 9"]),
        ("HEAD", "200 OK", [], b"hello", ["Content-Length: 5"]),
        ("HEAD", "200 OK", [], b"", []),  # GET may give more than nothing
        ("GET", "204 No Content", [], b"hello", []),
        ("GET", "204 No Content", [("Content-Length", "0")], b"", []),
        ("GET", "304 Not Modified", [], b"hello", []),
        (
            "GET",
            "304 Not Modified",
            [("Content-Length", "9")],
            b"",
            ["Content-Length: 9"],
        ),
        (
            "GET",
            "103 Early Hints",
            [("Content-Length", "9")],
            b"x",
            ["Connection: close"],
        ),
    ],
)
@pytest.mark.parametrize("complete", [True, False])
def test_sends_no_body_where_there_is_none(
    method: str,
    status: str,
    headers: Headers,
    chunk: bytes,
    expected: list[str],
    complete: bool,
) -> None:
    answer = new_answer(method=method)
    lines, body = split(answer.start(status, headers, chunk, complete=complete))
    if not complete and chunk and method == "HEAD":
        expected = []  # the length is not known yet
    assert lines == expected
    assert body + answer.chunk(b"more") + answer.end() == b""
    assert answer.sent == 0
    assert answer.problem == ""


# ---- files


def test_says_how_much_of_a_file_to_send() -> None:
    answer = new_answer()
    start, count = answer.start_file("200 OK", [TEXT], 1000)
    assert split(start) == (["Content-Type: text/plain", "Content-Length: 1000"], b"")
    assert count == answer.sent == 1000
    assert answer.end() == b""
    assert answer.problem == ""


def test_sends_a_part_of_a_file_if_less_is_promised() -> None:
    answer = new_answer()
    start, count = answer.start_file("206 Part", [("Content-Length", "10")], 1000)
    assert split(start)[0] == ["Content-Length: 10"]
    assert count == 10
    assert answer.keep_alive
    assert answer.problem == ""


def test_a_file_shorter_than_promised_closes() -> None:
    answer = new_answer()
    start, count = answer.start_file("200 OK", [("Content-Length", "10")], 3)
    assert split(start)[0] == ["Content-Length: 10", "Connection: close"]
    assert count == 3


def test_sends_nothing_of_a_file_for_head() -> None:
    start, count = new_answer(method="HEAD").start_file("200 OK", [], 1000)
    assert split(start) == (["Content-Length: 1000"], b"")
    assert count == 0


# ---- headers


def test_keeps_the_headers_of_the_application_in_order() -> None:
    headers = [("Set-Cookie", "a=1"), ("X_y", "caf\xe9\t!"), ("Set-Cookie", "b=2")]
    lines, _ = split(new_answer().start("200 OK", headers, b"", complete=True))
    assert lines == [
        "Set-Cookie: a=1",
        "X_y: caf\xe9\t!",
        "Set-Cookie: b=2",
        "Content-Length: 0",
    ]


def test_the_date_of_the_application_wins() -> None:
    answer = new_answer().start("200 OK", [("date", "then")], b"", complete=True)
    assert answer.count(b"Date:") == 1
    assert b"Date: then\r\n" in answer


@pytest.mark.parametrize(
    "name",
    [
        *("Connection", "keep-alive", "Transfer-Encoding", "TE", "Trailer", "Upgrade"),
        *("Proxy-Authenticate", "Proxy-Connection"),
    ],
)
def test_drops_what_is_not_the_applications_to_set(name: str) -> None:
    answer = new_answer()
    lines, body = split(answer.start("200 OK", [(name, "x")], b"hi", complete=True))
    assert (lines, body) == (["Content-Length: 2"], b"hi")
    assert name.lower() in answer.problem
    assert answer.keep_alive


def test_closes_when_the_application_wants_it() -> None:
    answer = new_answer()
    headers = [("Connection", "Close")]
    lines, _ = split(answer.start("200 OK", headers, b"", complete=True))
    assert lines == ["Content-Length: 0", "Connection: close"]
    assert not answer.keep_alive
    assert answer.problem == ""


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("X", "a\r\nSet-Cookie: b", "CRLF in a value"),
        ("X", "a\r\n\r\nbody", "an empty line in a value"),
        ("X", "a\nb", "LF in a value"),
        ("X", "a\rb", "CR in a value"),
        ("X", "a\r\n", "CRLF that ends a value"),
        ("X", "a\0b", "NUL in a value"),
        ("X", "a\x1bb", "ESC in a value"),
        ("X", "\x7f", "DEL in a value"),
        ("X", "\u20ac", "a character that latin-1 lacks"),
        ("Date", "a\r\nb", "CRLF in a date"),
        ("X\r\nY", "a", "CRLF in a name"),
        ("X:", "a", "colon in a name"),
        ("X Y", "a", "space in a name"),
        ("", "a", "no name"),
        ("caf\xe9", "a", "name not ASCII"),
        ("X", b"a", "bytes for a value"),
        ("X", 5, "number for a value"),
        ("X", None, "no value"),
        ("Content-Length", 5, "number for a length"),
        ("Connection", b"close", "bytes for a hop-by-hop value"),
        (b"X", "a", "bytes for a name"),
        (["X"], "a", "list for a name"),
    ],
)
def test_refuses_a_header(name: str, value: str, reason: str) -> None:
    answer = new_answer()
    for _ in "a first time", "and when it is known":
        with pytest.raises(ValueError, match=REFUSED):
            answer.start("200 OK", [(name, value)], b"", complete=True)
    # Nothing has been sent, so another answer can still be.
    wire = answer.start("500 Oh", [], b"sorry", complete=True)
    assert wire.startswith(b"HTTP/1.1 500 Oh\r\n")
    assert answer.sent == 5


@pytest.mark.parametrize(
    "status",
    [
        *(
            "",
            "200OK",
            "20 OK",
            "099 OK",
            "2000 OK",
            "OK",
            " 200 OK",
            "\xb2\xb2\xb2 OK",
        ),
        *("200 OK\r\nX: y", "200 a\nb", "200 OK\r\n", "200 \0", "200 \u20ac"),
        *(b"200 OK", 200),
    ],
)
def test_refuses_a_status(status: str) -> None:
    with pytest.raises(ValueError, match=REFUSED):
        new_answer().start(status, [], b"", complete=True)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        ("200", b"HTTP/1.1 200 \r\n"),
        ("404 ", b"HTTP/1.1 404 \r\n"),
        ("299 Caf\xe9 au lait", b"HTTP/1.1 299 Caf\xe9 au lait\r\n"),
    ],
)
def test_takes_any_words_in_a_status(status: str, line: bytes) -> None:
    assert new_answer().start(status, [], b"", complete=True).startswith(line)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12), st.text(max_size=12))
def test_never_lets_a_header_become_two(name: str, value: str, reason: str) -> None:
    answer = new_answer()
    try:
        wire = answer.start(f"200 {reason}", [(name, value)], b"", complete=True)
    except ValueError:
        return
    head, _, body = wire.partition(b"\r\n\r\n")
    assert body == b""
    assert b"\0" not in head
    assert head.count(b"\n") == head.count(b"\r") == head.count(b"\r\n") <= 3
