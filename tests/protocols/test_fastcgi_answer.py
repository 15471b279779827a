"""Answers over FastCGI: what is in which record, and in which piece."""

import pytest
from serving.fastcgi import Answer, split_records, understand

from prefork.protocols import fastcgi_records as wire
from prefork.protocols.fastcgi_answer import MOST_COMPLAINTS, FastcgiAnswer
from prefork.protocols.request import Request

TEXT = [("Content-Type", "text/plain")]


def new_answer(method: str = "GET", *, number: int = 1) -> FastcgiAnswer:
    variables = {"REQUEST_METHOD": method}
    request = Request(variables, body=None, rest=b"", keep_alive=True)
    return FastcgiAnswer(request, number, keep_alive=True)


def kinds(data: bytes) -> list[int]:
    return [kind for kind, _, _ in split_records(data)]


def test_a_small_answer_is_one_record_and_the_end_in_one_piece() -> None:
    said = new_answer(number=9).start("200 OK", TEXT, b"hello", complete=True)
    assert list(split_records(said)) == [
        (
            wire.STDOUT,
            9,
            b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
            b"\r\nhello",
        ),
        (wire.STDOUT, 9, b""),
        (wire.END_REQUEST, 9, bytes(8)),
    ]


def test_a_head_is_whole_in_the_first_record_and_a_chunk_follows_in_it() -> None:
    answer = new_answer()
    ((_, _, content),) = split_records(
        answer.start("200 OK", TEXT, b"a", complete=False)
    )
    assert content.endswith(b"\r\n\r\na")
    assert kinds(answer.chunk(b"b")) == [wire.STDOUT]
    assert kinds(answer.end()) == [wire.STDOUT, wire.END_REQUEST]


def test_an_empty_chunk_would_be_the_end_of_the_output() -> None:
    answer = new_answer()
    answer.start("200 OK", TEXT, b"", complete=False)
    assert answer.chunk(b"") == b""


@pytest.mark.parametrize("size", [65_000, 65_535, 65_536, 200_000])
def test_a_large_answer_is_cut_into_records(size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    answer = understand(new_answer().start("200 OK", TEXT, body[:size], complete=True))
    assert answer.status == 200 and answer.body == body[:size]
    assert answer.headers["content-length"] == str(size)


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "204 No"), ("GET", "304 No")]
)
def test_an_answer_that_has_no_body_gets_none(method: str, status: str) -> None:
    """HAProxy answers 502 for it, nginx closes early."""
    first = new_answer(method)
    answer = understand(first.start(status, TEXT, b"body", complete=True))
    assert answer.status == int(status[:3]) and not answer.body
    streamed = new_answer(method)
    said = streamed.start(status, TEXT, b"bo", complete=False)
    assert not understand(said + streamed.chunk(b"dy") + streamed.end()).body


def test_a_body_longer_than_its_length_is_cut() -> None:
    answer = new_answer()
    said = answer.start("200 OK", [("Content-Length", "3")], b"ab", complete=False)
    said += answer.chunk(b"cdef") + answer.chunk(b"gh") + answer.end()
    assert understand(said).body == b"abc"
    assert answer.problem and not answer.keep_alive


def test_a_file_is_sent_in_chunks() -> None:
    assert new_answer().start_file("200 OK", TEXT, 5) is None


def test_a_head_that_cannot_be_sent_leaves_nothing_behind() -> None:
    answer = new_answer()
    answer.complain(b"early")
    with pytest.raises(ValueError, match="control character"):
        answer.start("200 OK", [("A", "b\r\nc: d")], b"", complete=True)
    said = understand(answer.start("500 Oh", [], b"", complete=True))
    assert said.status == 500 and said.errors == b"early"


def test_complaints_leave_in_front_of_what_is_sent_next() -> None:
    """Alone, or behind the end, they would be HAProxy's death, or nobody's."""
    answer = new_answer()
    answer.complain(b"one, ")
    answer.complain(b"two")
    said = answer.start("200 OK", TEXT, b"a", complete=False)
    assert kinds(said) == [wire.STDERR, wire.STDOUT]
    answer.complain(b", three")
    assert answer.chunk(b"") == b""
    said += answer.chunk(b"b")
    answer.complain(b", four")
    said += answer.end()
    answer.complain(b"late")
    assert answer.end() == b""
    assert understand(said).errors == b"one, two, three, four"


def test_complaints_do_not_grow_without_bounds() -> None:
    answer = new_answer()
    for _ in range(100):
        answer.complain(b"x" * 1000)
    said = understand(answer.start("200 OK", TEXT, b"", complete=True))
    assert len(said.errors) == MOST_COMPLAINTS


def test_a_failure_is_told_and_becomes_the_status_of_the_application() -> None:
    answer = new_answer()
    answer.fail(b"it failed\n")
    said = understand(answer.start("500 Oh", TEXT, b"sorry", complete=True))
    assert (said.status, said.errors) == (500, b"it failed\n")
    assert (said.application, said.protocol) == (1, wire.REQUEST_COMPLETE)


def test_an_answer_that_is_not_finished_has_no_end() -> None:
    """Whoever fails in the middle closes the connection instead."""
    answer = new_answer()
    said = answer.start("200 OK", TEXT, b"a", complete=False)
    answer.fail(b"it failed\n")
    assert understand(said) == Answer(output=said[8:], heads=[said[8:]])
