"""An answer in AJP13: from status, headers and chunks to packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import ajp

from prefork.errors import ProtocolError
from prefork.protocols.ajp_answer import AjpAnswer, format_data, format_error
from prefork.protocols.request import Request

PLAIN = [("Content-Type", "text/plain")]
FLUSH = (3, b"\0\0\0")


def make_answer(method: str = "GET", *, keep_alive: bool = True) -> AjpAnswer:
    request = Request({"REQUEST_METHOD": method}, body=None, rest=b"", keep_alive=True)
    return AjpAnswer(request, keep_alive=keep_alive)


def read(wire: bytes) -> tuple[int, str, list[tuple[str, str]], bytes, bool | None]:
    """What a front end understands: all of the head, the body, may it go on."""
    (code, head), *others = ajp.packets(wire)
    assert code == 4
    body, reuse = b"", None
    for code, content in others:
        assert reuse is None, "a packet after the end"
        if code == 3:
            body += ajp.read_chunk(content)
        else:
            assert code == 5
            reuse = content == b"\1"
    return *ajp.read_head(head), body, reuse


def test_a_small_answer_is_three_packets() -> None:
    wire = make_answer().start("200 OK", PLAIN, b"hello\n", complete=True)
    headers = [("content-type", "text/plain"), ("content-length", "6")]
    assert read(wire) == (200, "OK", headers, b"hello\n", True)
    assert [code for code, _ in ajp.packets(wire)] == [4, 3, 5]


def test_the_bytes_are_those_of_the_protocol() -> None:
    wire = make_answer().start("404 Nope", [("X-A", "b")], b"!", complete=True)
    assert wire == (
        b"AB\x00\x1c\x04\x01\x94\x00\x04Nope\x00\x00\x02"
        b"\x00\x03X-A\x00\x00\x01b\x00\xa0\x03\x00\x011\x00"
        b"AB\x00\x05\x03\x00\x01!\x00"
        b"AB\x00\x02\x05\x01"
    )


def test_headers_have_their_codes() -> None:
    headers = [("Location", "/x"), ("SET-COOKIE", "a=1"), ("Set-Cookie", "b=2")]
    wire = make_answer().start("302 Found", headers, b"", complete=True)
    _, _, seen, _, _ = read(wire)
    assert seen[:3] == [("location", "/x"), ("#7", "a=1"), ("#7", "b=2")]


def test_a_status_may_have_no_words() -> None:
    assert read(make_answer().start("200", [], b"x", complete=True))[:2] == (200, "")


# ---- chunks


def test_a_chunk_is_passed_on_at_once() -> None:
    """PEP 3333; Apache gathers what is small until it is told not to."""
    answer = make_answer()
    first = list(ajp.packets(answer.start("200 OK", [], b"one", complete=False)))
    assert [code for code, _ in first] == [4, 3, 3]
    assert first[-1] == FLUSH
    assert list(ajp.packets(answer.chunk(b"two"))) == [(3, b"\0\3two\0"), FLUSH]
    assert answer.chunk(b"") == b""
    assert answer.end() == b"AB\0\2\5\1"
    assert answer.sent == 6


@pytest.mark.parametrize("size", [0, 1, 8183, 8184, 8185, 16368, 16369, 100_000])
def test_a_large_chunk_is_cut_into_packets_that_a_front_end_takes(size: int) -> None:
    """Apache refuses a payload of more than 8188 bytes."""
    data = bytes(range(256)) * (size // 256 + 1)
    packets = list(ajp.packets(format_data(data[:size])))
    assert b"".join(ajp.read_chunk(content) for _, content in packets) == data[:size]
    assert len(packets) == max(1, -(-size // 8184))


@given(st.lists(st.binary(max_size=20_000), max_size=5))
def test_any_chunks_arrive(chunks: list[bytes]) -> None:
    answer = make_answer()
    wire = answer.start("200 OK", PLAIN, b"", complete=False)
    wire += b"".join(map(answer.chunk, chunks)) + answer.end()
    assert read(wire)[3:] == (b"".join(chunks), True)


def test_a_file_is_sent_in_chunks() -> None:
    assert make_answer().start_file("200 OK", [], 10) is None


# ---- answers without a body


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
def test_what_has_no_body_gets_none(method: str, status: str) -> None:
    wire = make_answer(method).start(status, [], b"body", complete=True)
    assert [code for code, _ in ajp.packets(wire)] == [4, 5]


def test_the_answer_to_a_head_has_the_length_and_no_body() -> None:
    answer = make_answer("HEAD")
    wire = answer.start("200 OK", [], b"body", complete=True)
    assert read(wire)[2:] == ([("content-length", "4")], b"", True)
    streamed = make_answer("HEAD")
    wire = streamed.start("200 OK", [], b"bo", complete=False)
    wire += streamed.chunk(b"dy") + streamed.end()
    assert read(wire)[2:] == ([], b"", True)


# ---- what becomes of the connection


def test_a_front_end_hears_whether_it_may_go_on() -> None:
    answer = make_answer(keep_alive=False)
    assert read(answer.start("200 OK", [], b"x", complete=True))[-1] is False


def test_a_body_that_is_too_long_is_cut() -> None:
    answer = make_answer()
    headers = [("Content-Length", "4")]
    wire = answer.start("200 OK", headers, b"hello", complete=True)
    assert read(wire)[3:] == (b"hell", False)
    assert not answer.keep_alive
    assert "longer" in answer.problem


def test_a_body_that_is_too_short_breaks_off() -> None:
    """With an end, Apache passes it on as if it were whole."""
    headers = [("Content-Length", "10")]
    answer = make_answer()
    wire = answer.start("200 OK", headers, b"hello", complete=True)
    assert read(wire)[3:] == (b"hello", None)
    assert not answer.keep_alive
    assert "shorter" in answer.problem
    streamed = make_answer()
    streamed.start("200 OK", headers, b"hello", complete=False)
    assert streamed.end() == b""
    assert not streamed.keep_alive


def test_hop_by_hop_headers_are_not_passed_on() -> None:
    answer = make_answer()
    headers = [("Transfer-Encoding", "chunked"), ("Keep-Alive", "1"), ("Status", "9")]
    assert read(answer.start("200 OK", headers, b"", complete=True))[2] == [
        ("content-length", "0")
    ]


# ---- what cannot be sent


@pytest.mark.parametrize(
    ("status", "headers", "reason"),
    [
        ("103 Early Hints", [], "informational"),
        ("2000 OK", [], "malformed status"),
        ("200 OK\r\n", [], "malformed status"),
        ("200 OK", [("X", "a\r\nb")], "control character"),
        ("200 OK", [("X Y", "a")], "malformed header name"),
        ("200 OK", [("X", "x" * 8188)], "longer than 8188 bytes"),
        ("200 OK", [("X", "x" * 100)] * 100, "longer than 8188 bytes"),
        ("200 OK", [("X", "x" * 70_000)], "too long"),
    ],
)
def test_a_head_that_cannot_be_sent_is_the_applications_mistake(
    status: str, headers: list[tuple[str, str]], reason: str
) -> None:
    answer = make_answer()
    with pytest.raises(ValueError, match=reason):
        answer.start(status, headers, b"body", complete=True)
    wire = answer.start("500 Error", [], b"sorry", complete=True)
    assert read(wire)[3:] == (b"sorry", True)
    assert answer.sent == 5


def test_a_refusal_is_a_whole_answer_that_ends_the_connection() -> None:
    """Flup 1.0.3 sends its error page with the status 200."""
    status, reason, headers, body, reuse = read(
        format_error(ProtocolError("because", status=403))
    )
    assert (status, reason) == (403, "Forbidden")
    assert dict(headers) == {"content-type": "text/plain", "content-length": "14"}
    assert (body, reuse) == (b"403 Forbidden\n", False)
