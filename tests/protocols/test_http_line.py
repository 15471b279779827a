"""prefork.protocols.http_line: what a request line says."""

from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.protocols.http_line import RequestLines, parse_line
from prefork.protocols.path import decode_percent
from prefork.protocols.terms import Limits


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=30))
def test_decodes_what_was_encoded(path: bytes) -> None:
    encoded = "".join(f"%{byte:02X}" for byte in path)
    assert decode_percent(encoded).encode("latin-1") == path


def test_an_authority_in_the_target_is_the_host() -> None:
    assert parse_line("GET http://a:1/b HTTP/1.1")["HTTP_HOST"] == "a:1"
    assert "HTTP_HOST" not in parse_line("GET /b HTTP/1.1")


def test_a_line_is_parsed_once() -> None:
    lines = RequestLines(Limits())
    assert lines[b"GET /a HTTP/1.1"] is lines[b"GET /a HTTP/1.1"]
    assert lines[b"GET /a HTTP/1.1"]["PATH_INFO"] == "/a"
