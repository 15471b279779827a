"""The body of an AJP13 request: packets that are asked for one by one."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import ajp
from serving.feeding import SIZES, cut

from prefork.errors import ProtocolError
from prefork.protocols.ajp_body import AjpBody

DATA = bytes(range(256)) * 100  # four packets
BARE = ajp.packet(DATA[:30])  # as lighttpd has it, without a length


class Asker:
    """Who asks the front end for more."""

    def __init__(self) -> None:
        self.replies = b""

    @property
    def asked(self) -> list[int]:
        """How much was asked for since the last look."""
        replies, self.replies = self.replies, b""
        asked = []
        for code, content in ajp.packets(replies):
            assert code == 6
            asked += struct.unpack("!H", content)
        return asked


def in_packets(data: bytes, size: int = 8186) -> bytes:
    return b"".join(map(ajp.body, cut(data, size)))


# ---- whole bodies


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("piece", [100, 8186])
def test_a_body_is_the_same_in_any_cutting(size: int, piece: int) -> None:
    body = AjpBody(Asker(), length=len(DATA))
    wire = in_packets(DATA, piece) + b"\x12\x34rest"
    assert b"".join(map(body.feed, cut(wire, size))) == DATA
    assert body.done
    assert body.rest == b"\x12\x34rest"


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("end", [ajp.body(b""), ajp.EMPTY])
def test_a_body_of_unknown_length_ends_with_an_empty_packet(
    size: int, end: bytes
) -> None:
    body = AjpBody(Asker())
    wire = in_packets(DATA) + end + b"rest"
    assert b"".join(map(body.feed, cut(wire, size))) == DATA
    assert body.done
    assert body.rest == b"rest"


@pytest.mark.parametrize("size", SIZES)
def test_lighttpd_leaves_out_a_length(size: int) -> None:
    body = AjpBody(Asker(), length=60, may_be_bare=True)
    wire = BARE + ajp.packet(DATA[30:60])
    assert b"".join(map(body.feed, cut(wire, size))) == DATA[:60]
    assert body.done


def test_once_it_has_left_it_out_it_always_does() -> None:
    """Else what a client uploads could look like a length."""
    like_one = ajp.body(b"data")[4:]
    body = AjpBody(Asker(), length=30 + len(like_one), may_be_bare=True)
    assert body.feed(BARE + ajp.packet(like_one)) == DATA[:30] + like_one


# ---- asking


def test_the_first_packet_of_a_known_length_comes_unasked() -> None:
    asker = Asker()
    body = AjpBody(asker, length=10_000)
    assert asker.asked == []
    body.feed(ajp.body(DATA[:8186]))
    assert asker.asked == [10_000 - 8186]
    body.feed(ajp.body(DATA[8186:9000]))
    assert asker.asked == [1000]
    body.feed(ajp.body(DATA[9000:10_000]))
    assert asker.asked == []
    assert body.done


def test_without_a_length_the_first_packet_is_asked_for_too() -> None:
    """Flup 1.0.3 waits for it, and Apache waits to be asked."""
    asker = Asker()
    body = AjpBody(asker)
    assert asker.asked == [8186]
    body.feed(ajp.body(b"data"))
    assert asker.asked == [8186]
    body.feed(ajp.body(b""))
    assert asker.asked == []
    assert body.done


def test_half_a_packet_is_no_reason_to_ask() -> None:
    asker = Asker()
    body = AjpBody(asker, length=100)
    assert body.feed(ajp.body(DATA[:50])[:-1]) == b""
    assert asker.asked == []


# ---- what is malformed


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GET /", "not a packet of AJP13"),
        (b"AB\0\1\x09", "not a packet of AJP13"),
        (ajp.body(DATA[:101]), "longer than its Content-Length"),
        (ajp.body(DATA[:60]) * 2, "longer than its Content-Length"),
        (ajp.body(b""), "shorter than its Content-Length"),
        (ajp.EMPTY, "shorter than its Content-Length"),
        (ajp.body(DATA[:60]) + ajp.body(b""), "shorter than its Content-Length"),
        (BARE, "malformed packet"),
        (ajp.packet(b"x"), "malformed packet"),
        (ajp.packet(b"\0\5data"), "malformed packet"),
        (ajp.packet(b"\0\3data"), "malformed packet"),
        (ajp.CPING, "malformed packet"),
        (ajp.forward("/smuggled"), "malformed packet"),
    ],
)
@pytest.mark.parametrize("size", SIZES)
def test_what_is_malformed_is_refused_with_a_reason(
    wire: bytes, reason: str, size: int
) -> None:
    body = AjpBody(Asker(), length=100)
    with pytest.raises(ProtocolError, match=reason) as error:
        b"".join(map(body.feed, cut(wire, size)))
    assert error.value.status == 400


def test_who_says_a_length_once_says_it_always() -> None:
    body = AjpBody(Asker(), length=100, may_be_bare=True)
    body.feed(ajp.body(DATA[:50]))
    with pytest.raises(ProtocolError, match="malformed packet"):
        body.feed(BARE)


def test_a_body_of_unknown_length_has_a_limit() -> None:
    body = AjpBody(Asker(), limit=100)
    assert len(body.feed(ajp.body(DATA[:100]))) == 100
    with pytest.raises(ProtocolError, match="body too long") as error:
        body.feed(ajp.body(b"x"))
    assert error.value.status == 413


def test_there_may_be_no_limit() -> None:
    body = AjpBody(Asker(), limit=0)
    assert body.feed(in_packets(DATA)) == DATA


@given(st.binary(max_size=200), st.booleans(), st.integers(0, 300))
def test_no_bytes_are_more_than_refused(
    data: bytes, may_be_bare: bool, length: int
) -> None:
    body = AjpBody(Asker(), length=length or None, may_be_bare=may_be_bare)
    try:
        got = body.feed(ajp.packet(data)) + body.feed(b"\x12\x34" + data)
    except ProtocolError:
        return
    assert len(got) <= (length or 400)
