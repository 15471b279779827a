"""What counts as an answer that came to its end."""

import struct

import pytest

from versus.questions import Answer, parse_fastcgi, parse_http

HTTP = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def record(kind: int, content: bytes, padding: int = 0) -> bytes:
    head = struct.pack(">BBHHBx", 1, kind, 1, len(content), padding)
    return head + content + bytes(padding)


FASTCGI = (
    record(6, b"Content-Type: text/plain\r\n\r\nhel", padding=5)
    + record(6, b"lo")
    + record(3, bytes(8))
)


def test_whole_answers() -> None:
    assert parse_http(HTTP) == parse_fastcgi(FASTCGI) == Answer(200, "hello")


@pytest.mark.parametrize("length", range(len(HTTP)))
def test_an_answer_over_http_that_was_cut_is_none(length: int) -> None:
    assert parse_http(HTTP[:length]) is None


@pytest.mark.parametrize("length", range(len(FASTCGI) - 8))
def test_an_answer_over_fastcgi_that_was_cut_is_none(length: int) -> None:
    assert parse_fastcgi(FASTCGI[:length]) is None


def test_a_status_of_fastcgi_is_in_a_header() -> None:
    output = record(6, b"Status: 404 Not Found\r\n\r\n") + record(3, bytes(8))
    assert parse_fastcgi(output) == Answer(404, "")
