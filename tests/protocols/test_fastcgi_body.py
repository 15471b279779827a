"""The streams of a FastCGI request: passed on as they come, and to their ends."""

import pytest
from serving.fastcgi import record, stream

from prefork.errors import ProtocolError
from prefork.protocols.fastcgi_body import StreamsBody
from prefork.protocols.fastcgi_records import DATA, GET_VALUES, STDIN

Heeded = list[tuple[int, int, bytes]]


def open_body(
    sizes: dict[int, int | None] | None = None, *, limit: int = 0
) -> tuple[StreamsBody, Heeded]:
    """A body of request 1, and what it had no use for."""
    heeded: Heeded = []
    body = StreamsBody(
        1,
        sizes or {STDIN: None},
        limit=limit,
        heed=lambda kind, number, content: heeded.append((kind, number, content)),
    )
    return body, heeded


def test_what_has_come_of_a_record_is_passed_on_at_once() -> None:
    body, _ = open_body()
    whole = record(STDIN, b"x" * 60_000, padding=9)
    assert body.feed(whole[:1000]) == b"x" * 992
    assert body.feed(whole[1000:1001]) == b"x"
    assert body.feed(whole[1001:]) == b"x" * (60_000 - 993)
    assert not body.done


def test_what_follows_the_end_is_kept() -> None:
    body, _ = open_body()
    assert body.feed(stream(STDIN, b"body") + b"next") == b"body"
    assert body.done and body.rest == b"next"
    assert body.feed(b" one") == b"" and body.rest == b"next one"


def test_the_padding_of_the_last_record_belongs_to_it() -> None:
    body, _ = open_body()
    end = record(STDIN, padding=5)
    for at in range(len(end)):
        assert body.feed(end[at : at + 1]) == b""
        assert body.done == (at == len(end) - 1)
    assert body.rest == b""


def test_streams_are_read_in_their_order() -> None:
    body, _ = open_body({STDIN: 2, DATA: 3})
    assert body.feed(stream(STDIN, b"in")) == b"in"
    assert not body.done
    assert body.feed(stream(DATA, b"dat")) == b"dat"
    assert body.done


def test_other_records_are_handed_over_whole() -> None:
    body, heeded = open_body()
    other = record(GET_VALUES, b"asked" * 1000, number=0, padding=3)
    of_another = record(STDIN, b"not ours", number=2)
    for at in range(0, len(other), 100):
        assert body.feed(other[at : at + 100]) == b""
    assert body.feed(of_another + record(STDIN, b"ours")) == b"ours"
    assert heeded == [(GET_VALUES, 0, b"asked" * 1000), (STDIN, 2, b"not ours")]


@pytest.mark.parametrize(
    ("sizes", "wire", "reason", "status"),
    [
        ({STDIN: 3}, stream(STDIN, b"ab"), "shorter than was announced", 400),
        ({STDIN: 3}, record(STDIN, b"abcd")[:9], "longer than was announced", 400),
        ({STDIN: 0, DATA: 1}, stream(DATA, b"a"), "DATA instead of STDIN", 400),
        ({STDIN: None}, record(STDIN, b"x" * 11)[:8], "body too long", 413),
        ({STDIN: 6, DATA: 6}, stream(STDIN, b"x" * 6) * 2, "instead of DATA", 400),
        ({STDIN: None}, b"\x02", "not FastCGI 1", 400),
    ],
)
def test_what_does_not_fit_is_refused_as_soon_as_it_is_known(
    sizes: dict[int, int | None], wire: bytes, reason: str, status: int
) -> None:
    for size in (1, len(wire)):
        with pytest.raises(ProtocolError, match=reason) as caught:
            feed_all(open_body(dict(sizes), limit=10)[0], wire, size)
        assert caught.value.status == status


def feed_all(body: StreamsBody, wire: bytes, size: int) -> None:
    for at in range(0, len(wire), size):
        body.feed(wire[at : at + size])


def test_the_limit_is_one_for_all_streams() -> None:
    body, _ = open_body({STDIN: 6, DATA: 6}, limit=10)
    body.feed(stream(STDIN, b"x" * 6))
    with pytest.raises(ProtocolError, match="body too long"):
        body.feed(record(DATA, b"x" * 6))
