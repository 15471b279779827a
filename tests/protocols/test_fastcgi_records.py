"""FastCGI's records and pairs, both ways."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols import fastcgi_records as records

TEXT = st.text(st.characters(max_codepoint=255), max_size=300)


@given(st.lists(st.tuples(TEXT, TEXT), max_size=20))
def test_pairs_survive_the_way_there_and_back(pairs: list[tuple[str, str]]) -> None:
    assert records.parse_pairs(records.format_pairs(pairs)) == pairs


@pytest.mark.parametrize(
    ("size", "encoded"),
    [
        (0, b"\x00"),
        (127, b"\x7f"),
        (128, b"\x80\x00\x00\x80"),
        (65536, b"\x80\x01\x00\x00"),
    ],
)
def test_a_length_has_one_byte_or_four(size: int, encoded: bytes) -> None:
    assert records.format_pairs([("", "v" * size)]) == b"\0" + encoded + b"v" * size
    assert records.format_pairs([("n" * size, "")]) == encoded + b"\0" + b"n" * size


def test_a_short_length_may_be_in_four_bytes() -> None:
    wire = b"\x80\x00\x00\x01\x80\x00\x00\x02nvv"
    assert records.parse_pairs(wire) == [("n", "vv")]


@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"\x01", "in the middle of its lengths"),
        (b"\x80\x00\x00", "in the middle of its lengths"),
        (b"\x01\x80\x00\x00", "in the middle of its lengths"),
        (b"\xff", "in the middle of its lengths"),
        (b"\x01\x01n", "longer than what carries it"),
        (b"\x02\x00n", "longer than what carries it"),
        (b"\xff\xff\xff\xff\x00", "longer than what carries it"),
        (b"\x00\xff\xff\xff\xff", "longer than what carries it"),
        (b"\xff\xff\xff\xff\xff\xff\xff\xffn", "longer than what carries it"),
    ],
)
def test_lengths_that_lie_are_refused(wire: bytes, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        records.parse_pairs(wire)


@given(st.binary(max_size=200))
def test_any_bytes_are_pairs_or_a_protocol_error(wire: bytes) -> None:
    try:
        pairs = records.parse_pairs(wire)
    except ProtocolError:
        return
    assert sum(len(name) + len(value) for name, value in pairs) <= len(wire)


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200_000])
def test_a_stream_is_cut_into_records_that_are_not_empty(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    wire = records.format_stream(records.STDOUT, 513, data[:size])
    contents, at = [], 0
    while at < len(wire):
        version, kind, request, length, padding = records.HEADER.unpack_from(wire, at)
        assert (version, kind, request, padding) == (1, records.STDOUT, 513, 0)
        assert 0 < length <= records.MOST
        contents.append(wire[at + 8 : at + 8 + length])
        at += 8 + length
    assert b"".join(contents) == data[:size]


def test_the_last_words_are_an_empty_stdout_and_an_end_request() -> None:
    assert records.format_last(7, application=1, protocol=2) == (
        b"\x01\x06\x00\x07\x00\x00\x00\x00"
        b"\x01\x03\x00\x07\x00\x08\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00"
    )


def test_a_request_begins_with_its_role_and_flags() -> None:
    assert records.format_begin(258, role=records.FILTER, keep=True) == (
        b"\x01\x01\x01\x02\x00\x08\x00\x00\x00\x03\x01\x00\x00\x00\x00\x00"
    )
