"""AJP13's packets: what both sides of a connection have in common."""

import pytest

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as ajp


@pytest.mark.parametrize(
    ("code", "name"),
    [(1, "OPTIONS"), (2, "GET"), (8, "PROPFIND"), (16, "REPORT"), (27, "MKACTIVITY")],
)
def test_a_method_has_the_number_that_the_protocol_gives_it(
    code: int, name: str
) -> None:
    assert ajp.METHODS[code] == name
    assert len(ajp.METHODS) == 27


def test_a_header_has_the_number_that_the_protocol_gives_it() -> None:
    assert len(ajp.REQUEST_HEADERS) == 14
    assert ajp.REQUEST_HEADERS[0x08] == "Content-Length"
    assert ajp.REQUEST_HEADERS[0x0E] == "User-Agent"
    assert len(ajp.ANSWER_HEADERS) == 11
    assert ajp.ANSWER_HEADERS[0x07] == "Set-Cookie"
    assert ajp.ANSWER_HEADERS[0x0B] == "WWW-Authenticate"


@pytest.mark.parametrize("text", [None, b"", b"a", b"caf\xe9", b"x" * 65534])
def test_a_string_is_read_as_it_was_written(text: bytes | None) -> None:
    wire = b"?" + ajp.format_string(text) + b"!"
    read, end = ajp.read_string(wire, wire.decode("latin-1"), 1)
    assert (read.encode("latin-1") if read is not None else None) == text
    assert wire[end:] == b"!"


@pytest.mark.parametrize("wire", [b"", b"\0", b"\0\1", b"\0\1a", b"\0\0", b"\xff"])
def test_a_string_that_is_cut_is_noticed(wire: bytes) -> None:
    with pytest.raises(IndexError):
        ajp.read_string(wire, wire.decode("latin-1"), 0)


def test_a_string_ends_with_a_nul() -> None:
    with pytest.raises(ProtocolError, match="without its NUL"):
        ajp.read_string(b"\0\1ab", "\0\1ab", 0)


def test_what_is_too_long_for_its_length_is_not_written() -> None:
    with pytest.raises(ValueError, match="string too long"):
        ajp.format_string(b"x" * 65535)
    with pytest.raises(ValueError, match="packet too long"):
        ajp.format_packet(ajp.TO_CONTAINER, b"x" * 65536)


def test_a_packet_is_measured_as_soon_as_its_length_is_there() -> None:
    packet = ajp.format_body(b"data")
    assert packet == b"\x12\x34\x00\x06\x00\x04data"
    for size in range(4):
        assert ajp.measure(packet[:size], ajp.TO_CONTAINER) == 0
    assert ajp.measure(packet[:4], ajp.TO_CONTAINER) == len(packet)
    assert ajp.measure(packet + b"more", ajp.TO_CONTAINER) == len(packet)


@pytest.mark.parametrize("data", [b"G", b"GET ", b"\x12\x35", b"AB\0\1", b"\0"])
def test_what_is_no_packet_is_noticed_by_its_first_bytes(data: bytes) -> None:
    with pytest.raises(ProtocolError, match="not a packet of AJP13"):
        ajp.measure(data, ajp.TO_CONTAINER)
