"""The parts of a head, one by one; whole heads are in test_http.py."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.http_fields import FieldBlocks, Limits, find_key
from prefork.protocols.http_head import (
    decode_percent,
    parse_head,
    read_request_line,
)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30))
def test_decodes_what_was_encoded(path: bytes) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in path)
    assert decode_percent(encoded).encode("latin-1") == path


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


def test_keeps_the_variables_that_it_was_given() -> None:
    variables = {"REMOTE_ADDR": "192.0.2.1"}
    request = parse_head(
        b"GET / HTTP/1.0",
        b"rest",
        variables,
        limits=Limits(),
        blocks=FieldBlocks(Limits()),
    )
    assert request.variables is variables
    assert variables["REMOTE_ADDR"] == "192.0.2.1"
    assert request.rest == b"rest"


def test_returns_the_authority_of_a_target_that_has_one() -> None:
    assert read_request_line("GET http://a:1/b HTTP/1.1", {}) == "a:1"
    assert read_request_line("GET /b HTTP/1.1", {}) == ""


def test_larger_fields_may_make_a_larger_head() -> None:
    assert Limits().head == 131_072
    assert Limits(field_size=1_000_000).head > 1_000_000
