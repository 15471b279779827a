"""prefork.gateways.cgi_head: the head of a program's answer, RFC 3875 6."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.gateways.cgi_head import HEADS, find_end, format_status, parse_head


@pytest.mark.parametrize(
    ("output", "span"),
    [
        (b"A: b\n\nrest", (4, 6)),
        (b"A: b\r\n\r\nrest", (4, 8)),
        (b"A: b\n\r\nrest", (4, 7)),
        (b"\nrest", (0, 1)),
        (b"\r\nrest", (0, 2)),
        (b"A: b\n", None),
        (b"A: b\r\n\r", None),
        (b"", None),
    ],
)
def test_a_head_ends_with_an_empty_line(
    output: bytes, span: tuple[int, int] | None
) -> None:
    assert find_end(output) == span


@pytest.mark.parametrize(
    ("block", "status", "headers", "redirect"),
    [
        (b"Content-Type: a/b", "200 OK", [("Content-Type", "a/b")], ""),
        (b"Status: 404\nX-A:b", "404 Not Found", [("X-A", "b")], ""),
        (b"status: 299 Odd\r\nX-A: b \r", "299 Odd", [("X-A", "b")], ""),
        (b"Location: http://a/", "302 Found", [("Location", "http://a/")], ""),
        (b"Location: /x?y", "302 Found", [("Location", "/x?y")], "/x?y"),
        (b"Location: //a/b", "302 Found", [("Location", "//a/b")], ""),
        (
            b"Status: 303\nLocation: /x",
            "303 See Other",
            [("Location", "/x")],
            "",
        ),
        (
            b"Location: /x\nSet-Cookie: a=b",
            "302 Found",
            [("Location", "/x"), ("Set-Cookie", "a=b")],
            "",
        ),
        (b"HTTP/1.1 202 Nph\nX-A: b", "202 Nph", [("X-A", "b")], ""),
        (b"Content-Type: \xfc", "200 OK", [("Content-Type", "\xfc")], ""),
    ],
)
def test_a_head_is_status_fields_and_perhaps_a_local_redirect(
    block: bytes, status: str, headers: list[tuple[str, str]], redirect: str
) -> None:
    head = parse_head(block.removesuffix(b"\r"))
    assert (head.status, head.headers, head.redirect) == (status, headers, redirect)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"", "neither"),
        (b"X-A: b", "neither"),
        (b"just text", "no header field"),
        (b"Content-Type: a/b\n folded", "no header field"),
        (b"Content-Type: a/b\nContent-Type: a/b", "two fields"),
        (b"Status: ok", "malformed Status"),
        (b"Status: 20", "malformed Status"),
        (b"Status: 100", "malformed Status"),
        (b"HTTP/1.1 101 Other Protocol\nX-A: b", "malformed Status"),
        (b"Location:", "leads nowhere"),
        (b"Content Type: a/b", "no header field"),
        (b"Content-Type: a\0b", "control character"),
        (b"Content-Type: a\rb", "control character"),
    ],
)
def test_what_is_no_head_says_why(block: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        HEADS[block]


@given(st.binary(max_size=200))
def test_any_bytes_are_a_head_or_a_value_error(block: bytes) -> None:
    try:
        head = parse_head(block)
    except ValueError:
        return
    assert format_status(head.status) == head.status
