"""prefork.protocols.http_fields: what a block of fields says."""

import pytest

from prefork.errors import ProtocolError
from prefork.protocols.http_fields import FieldBlocks, Limits, find_key


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("Accept", "HTTP_ACCEPT"),
        ("x-Y-z", "HTTP_X_Y_Z"),
        ("CONTENT-TYPE", "CONTENT_TYPE"),
        ("content-length", "CONTENT_LENGTH"),
        ("X.Y", "HTTP_X.Y"),
        ("X_Y", ""),
        ("Content_Length", ""),
        ("PROXY", ""),
    ],
)
def test_finds_the_variable_of_a_field(name: str, key: str) -> None:
    assert find_key(name) == key


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "malformed field name"),
        (" X", "folded field"),
        ("X ", "space before the colon"),
        ("X\0", "malformed field name"),
    ],
)
def test_says_what_is_wrong_with_a_name(name: str, reason: str) -> None:
    with pytest.raises(ProtocolError, match=reason):
        find_key(name)


def test_a_block_is_parsed_once() -> None:
    blocks = FieldBlocks(Limits())
    assert blocks[b"Host: a"] is blocks[b"Host: a"]
    assert blocks[b"Host: a"].variables == {"HTTP_HOST": "a"}


def test_a_block_that_is_refused_is_refused_again() -> None:
    blocks = FieldBlocks(Limits())
    for _ in range(2):
        with pytest.raises(ProtocolError, match="malformed Host"):
            blocks[b"Host: a b"]


def test_larger_fields_may_make_a_larger_head() -> None:
    assert Limits().head == 131_072
    assert Limits(field_size=1_000_000).head > 1_000_000
