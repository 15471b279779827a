"""Bodies by length and in chunks: whole, cut, endless and malformed."""

import itertools
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.http_body import ChunkedBody, LengthBody
from prefork.protocols.request import Body


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def decode(body: Body, pieces: Iterable[bytes]) -> bytes:
    return b"".join(body.feed(piece) for piece in pieces)


def encode(chunks: Iterable[bytes]) -> bytes:
    coded = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
    return coded + b"0\r\n\r\n"


# ---- by length


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_ends_a_body_at_its_length(size: int) -> None:
    body = LengthBody(5)
    assert decode(body, cut(b"helloGET /", size)) == b"hello"
    assert body.done
    assert body.rest == b"GET /"


def test_knows_that_a_body_is_not_whole() -> None:
    body = LengthBody(5)
    assert body.feed(b"hell") == b"hell"
    assert body.feed(b"") == b""
    assert not body.done
    assert body.left == 1


# ---- in chunks


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_decodes_chunks_wherever_they_are_cut(
    chunks: list[bytes], cuts: list[int]
) -> None:
    wire = encode(chunks) + b"GET / "
    body = ChunkedBody()
    pieces = [wire[a:b] for a, b in itertools.pairwise([0, *sorted(cuts), len(wire)])]
    assert decode(body, pieces) == b"".join(chunks)
    assert body.done
    assert body.rest == b"GET / "


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    "wire",
    [
        b"5\r\nhello\r\n0\r\n\r\n",
        b"0005\r\nhello\r\n000\r\n\r\n",
        b"2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
        b"5;a\r\nhello\r\n0;b=c\r\n\r\n",
        b'5 ; a = "x;\\"y" ;b\r\nhello\r\n0\r\n\r\n',
        b"5\r\nhello\r\n0\r\nA: b\r\nC:\r\n\r\n",
    ],
    ids=["plain", "zeros", "two chunks", "extensions", "quoted", "trailers"],
)
def test_takes(wire: bytes, size: int) -> None:
    body = ChunkedBody(limit=5)
    assert decode(body, cut(wire + b"next", size)) == b"hello"
    assert body.done
    assert body.rest == b"next"


MALFORMED = [
    (b"\r\n", 400, "no size"),
    (b"0x5\r\nhello\r\n", 400, "size with a prefix"),
    (b"+5\r\nhello\r\n", 400, "size with a sign"),
    (b"-5\r\nhello\r\n", 400, "negative size"),
    (b" 5\r\nhello\r\n", 400, "space before the size"),
    (b"5 \r\nhello\r\n", 400, "space after the size"),
    (b"5_0\r\nhello\r\n", 400, "underscore in the size"),
    (b"G\r\nhello\r\n", 400, "not hexadecimal"),
    (b"1these-bytes\r\n", 400, "text after the size"),
    (b"0" * 17 + b"\r\n", 400, "size of 17 digits"),
    (b"\xb2\r\nhello\r\n", 400, "a digit that is not ASCII"),
    (b"5\nhello\r\n", 400, "size that ends in a bare LF"),
    (b"5\rhello\r\n", 400, "size that ends in a bare CR"),
    (b"5\r\r;ABCD\r\n", 400, "CR in the line"),
    (b"5;\r\nhello\r\n", 400, "extension without a name"),
    (b"5;a=\r\nhello\r\n", 400, "extension without its value"),
    (b"5;a b\r\nhello\r\n", 400, "space in an extension"),
    (b"5;a\nb\r\nhello\r\n", 400, "LF in an extension"),
    (b"5;a\0\r\nhello\r\n", 400, "NUL in an extension"),
    (b'5;a="b\r\nhello\r\n', 400, "quotes not closed"),
    (b"5;" + b"a" * 300 + b"\r\n", 400, "extension too long"),
    (b"5\r\nhelloXX0\r\n\r\n", 400, "data longer than its size"),
    (b"5\r\nhello0\r\n\r\n", 400, "no CRLF after the data"),
    (b"5\r\nhello\n0\r\n\r\n", 400, "bare LF after the data"),
    (b"5\r\nhello\rX", 400, "bare CR after the data"),
    (b"65\r\n", 413, "body over the limit"),
    (b"64\r\n" + b"a" * 100 + b"\r\n1\r\n", 413, "over the limit by the second"),
    (b"ffffffffffffffff\r\n", 413, "size of 64 bits"),
    (b"0\r\nGET / HTTP/1.1\r\n", 400, "request for a trailer"),
    (b"0\r\nX : y\r\n\r\n", 400, "space before the colon"),
    (b"0\r\n X: y\r\n\r\n", 400, "folded trailer"),
    (b"0\r\n: y\r\n\r\n", 400, "trailer without a name"),
    (b"0\r\nX: y\n\r\n", 400, "bare LF in the trailers"),
    (b"0\r\nX: y\rz\r\n\r\n", 400, "bare CR in the trailers"),
    (b"0\r\nX: \0\r\n\r\n", 400, "NUL in a trailer"),
    (b"0\r\nHost: a\r\n\r\n", 400, "Host as a trailer"),
    (b"0\r\ncontent-length: 5\r\n\r\n", 400, "length as a trailer"),
    (b"0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "coding as a trailer"),
    (b"0\r\nAuthorization: x\r\n\r\n", 400, "identity as a trailer"),
    (b"0\r\n" + b"X: y\r\n" * 33, 431, "too many trailers"),
    (b"0\r\nX: " + b"a" * 8200, 431, "trailers too long"),
]


def refusal_of(pieces: Iterable[bytes]) -> int | None:
    """The status that some bytes are refused with; None if they are not."""
    try:
        decode(ChunkedBody(limit=100), pieces)
    except ProtocolError as error:
        return error.status
    return None


@pytest.mark.parametrize(
    ("wire", "status"),
    [row[:2] for row in MALFORMED],
    ids=[row[2] for row in MALFORMED],
)
def test_refuses(wire: bytes, status: int) -> None:
    for size in (1, 7, 10_000):
        assert refusal_of(cut(wire, size)) == status, f"in pieces of {size}"


@pytest.mark.parametrize(
    "wire",
    [b"5\n", b"zz", b"5;a\n", b"5" * 17, b"1\r\nab", b"0\r\nX: y\n\n", b"5;" * 200],
)
def test_does_not_wait_for_the_end_of_a_line_that_is_wrong(wire: bytes) -> None:
    assert refusal_of([wire]) == 400


def test_is_not_done_before_the_last_byte() -> None:
    wire = b"5\r\nhello\r\n0\r\nX: y\r\n\r\n"
    for end in range(len(wire)):
        body = ChunkedBody()
        body.feed(wire[:end])
        assert not body.done


def test_bounds_the_extensions_of_a_body() -> None:
    chunk = b"1;" + b"a" * 200 + b"\r\nx\r\n"
    assert refusal_of(itertools.repeat(chunk, 99)) == 400


def test_many_small_chunks_cost_no_more_than_their_size() -> None:
    wire = b"1\r\nx\r\n" * 50_000 + b"0\r\n\r\n"
    # Not timed: a quadratic decoder would take minutes.
    assert len(decode(ChunkedBody(), cut(wire, 65_536))) == 50_000


def test_keeps_what_comes_after_the_end() -> None:
    body = ChunkedBody()
    body.feed(b"0\r\n\r\nGET")
    assert body.feed(b" /") == b""
    assert body.rest == b"GET /"


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=40), st.sampled_from([row[0] for row in MALFORMED]))
def test_raises_nothing_but_protocol_errors(noise: bytes, wire: bytes) -> None:
    for hostile in (noise, b"3\r\nabc\r\n" + noise + wire):
        assert refusal_of(cut(hostile, 3)) in (None, 400, 413, 431)
