"""Answers as servers of all kinds send them, also where they are not quite right."""

import pytest
from serving.feeding import SIZES, cut

from prefork.protocols import fastcgi_records as wire
from prefork.protocols.ajp_packets import (
    TO_CONTAINER,
    TO_FRONT_END,
    format_body,
    format_packet,
)
from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import word
from prefork.protocols.watching.events import (
    Answered,
    Broken,
    Data,
    End,
    Event,
    Side,
    Unit,
    Wanted,
)
from prefork.protocols.watching.table import watch


def hear(
    protocol: str, answer: bytes, *, method: str = "GET", size: int = 1 << 20
) -> list[Event]:
    """What is told of an answer, to the end of its connection."""
    witness = watch(protocol)
    witness.hear(Side.CLIENT, next(word(protocol, Question(method=method))))
    pieces = [*cut(answer, size), b""]
    return [event for piece in pieces for event in witness.hear(Side.SERVER, piece)]


def sum_up(events: list[Event]) -> tuple[list[int], bytes, list[str]]:
    """Statuses, body, and what is wrong, if anything."""
    statuses = [event.status for event in events if isinstance(event, Answered)]
    body = b"".join(event.payload for event in events if isinstance(event, Data))
    problems = [event.problem for event in events if isinstance(event, End)]
    problems += [event.reason for event in events if isinstance(event, Broken)]
    return statuses, body, problems


CGI = [
    (b"Status: 200 OK\r\n\r\nhi", ([200], b"hi", [""])),
    (b"Status: 404\n\nno", ([404], b"no", [""])),
    (b"Content-Type: text/plain\n\nhi", ([200], b"hi", [""])),
    (b"Location: /there\n\n", ([302], b"", [""])),
    (b"HTTP/1.1 202 Fine\r\nX: y\r\n\r\n", ([202], b"", [""])),
    (b"X: y\r\n folded\r\n\r\nhi", ([200], b"hi", [""])),
    (
        b"Content-Length: 5\n\nhi",
        ([200], b"hi", ["2 bytes of a body whose Content-Length is 5"]),
    ),
    (
        b"Content-Length: 1\n\nhi",
        ([200], b"hi", ["2 bytes of a body whose Content-Length is 1"]),
    ),
    (b"", ([], b"", ["the end came before the head of the answer"])),
    (b"Status: 2", ([], b"", ["the end came in the middle of the head of the answer"])),
    (b"X: y\n", ([], b"", ["the end came before a header field"])),
    (b"hello\n", ([], b"", ["no header field: 'hello' (before byte 6)"])),
    (b"Status: fine\n\n", ([], b"", ["malformed Status 'fine' (before byte 14)"])),
    (
        b"Content-Length: x\n\n",
        ([200], b"", ["malformed Content-Length 'x' (before byte 19)"]),
    ),
]


@pytest.mark.parametrize("protocol", ["scgi", "uwsgi"])
@pytest.mark.parametrize(("answer", "told"), CGI)
def test_an_answer_of_cgi(
    protocol: str, answer: bytes, told: tuple[list[int], bytes, list[str]]
) -> None:
    for size in SIZES:
        assert sum_up(hear(protocol, answer, size=size)) == told


def test_a_body_where_there_must_be_none_is_a_problem() -> None:
    events = hear("scgi", b"Status: 200 OK\r\n\r\nhi", method="HEAD")
    assert sum_up(events)[2] == ["a body, where there must be none"]


HTTP = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", ([200], b"hi", [""])),
    (b"HTTP/1.0 200\n\nhi", ([200], b"hi", [""])),
    (b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 204 No\r\n\r\n", ([100, 204], b"", [""])),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"
        b"2 ;x=y\r\nhi\r\n0\r\nTrailer: yes\r\n\r\n",
        ([200], b"hi", [""]),
    ),
    (
        b"HTTP/1.1 101 Another\r\n\r\n\x01\x02\x03",
        ([101], b"", [""]),
    ),
    (b"", ([], b"", ["closed without an answer"])),
    (
        b"nonsense\r\n",
        ([], b"", ["no status line of HTTP: 'nonsense' (before byte 10)"]),
    ),
    (
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhi",
        ([200], b"hi", ["the answer's body ended 3 bytes early (before byte 40)"]),
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhi",
        ([200], b"hi", ["a chunk ended 3 bytes early (before byte 52)"]),
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhiho\r\n",
        ([200], b"hi", ["a chunk longer than its size (before byte 56)"]),
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        ([200], b"", ["malformed chunk size 'zz' (before byte 51)"]),
    ),
]


@pytest.mark.parametrize(("answer", "told"), HTTP)
def test_an_answer_of_http(
    answer: bytes, told: tuple[list[int], bytes, list[str]]
) -> None:
    for size in SIZES:
        assert sum_up(hear("http", answer, size=size)) == told


def test_requests_and_answers_of_a_connection_belong_together() -> None:
    witness = watch("http")
    for _ in range(2):
        witness.hear(Side.CLIENT, b"HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    told = witness.hear(Side.SERVER, head + head + b"hi" + head + head + b"ho")
    assert [event.number for event in told if isinstance(event, End)] == [1, 2, 3, 4]
    assert [e.number for e in told if isinstance(e, Data)] == [2, 4]


def stdout(*parts: bytes) -> bytes:
    return b"".join(wire.format_record(wire.STDOUT, 1, part) for part in parts)


OK = b"Status: 200 OK\r\n\r\n"
FASTCGI = [
    (stdout(OK, b"hi", b"") + wire.format_end(1), ([200], b"hi", [""])),
    (stdout(OK[:5], OK[5:] + b"h", b"i") + wire.format_end(1), ([200], b"hi", [""])),
    (
        stdout(b"hello\n") + wire.format_end(1),
        ([], b"", ["no header field: 'hello' (before byte 6)"]),
    ),
    (wire.format_end(1), ([], b"", ["the end came before the head of the answer"])),
    (wire.format_end(1, protocol=wire.OVERLOADED), ([], b"", ["OVERLOADED"])),
    (wire.format_end(1, protocol=9), ([], b"", ["protocol status 9"])),
    (stdout(OK, b"hi"), ([200], b"hi", ["closed without an END_REQUEST"])),
    (
        b"HTTP/1.1",
        ([], b"", ["no record of FastCGI: its version is 72 (before byte 8)"]),
    ),
    (stdout(OK)[:-1], ([], b"", ["the end came in the middle of a record"])),
]


@pytest.mark.parametrize(("answer", "told"), FASTCGI)
def test_an_answer_of_fastcgi(
    answer: bytes, told: tuple[list[int], bytes, list[str]]
) -> None:
    for size in SIZES:
        assert sum_up(hear("fastcgi", answer, size=size)) == told


def test_padding_of_any_size_is_passed_over() -> None:
    record = wire.HEADER.pack(1, wire.STDOUT, 1, len(OK), 255) + OK + bytes(255)
    assert sum_up(hear("fastcgi", record + wire.format_end(1)))[0] == [200]


def test_requests_of_one_connection_at_once_are_told_apart() -> None:
    witness = watch("fastcgi")
    for id in (1, 3):
        witness.hear(Side.CLIENT, wire.format_begin(id, keep=True))
    told: list[Event] = []
    for id, body in ((3, b"three"), (1, b"one")):
        records = wire.format_record(wire.STDOUT, id, OK + body) + wire.format_end(id)
        told += witness.hear(Side.SERVER, records)
    assert [e for e in told if isinstance(e, Data)] == [
        Data(2, b"three"),
        Data(1, b"one"),
    ]
    assert [e for e in told if isinstance(e, End)] == [End(2), End(1)]


@pytest.mark.parametrize(
    ("side", "record", "told"),
    [
        (
            Side.CLIENT,
            wire.format_record(wire.GET_VALUES, 0, wire.format_pairs([("A", "")])),
            Unit(0, "GET_VALUES", 3, "A"),
        ),
        (
            Side.SERVER,
            wire.format_record(
                wire.GET_VALUES_RESULT, 0, wire.format_pairs([("A", "1")])
            ),
            Unit(0, "GET_VALUES_RESULT", 4, "A=1"),
        ),
        (
            Side.SERVER,
            wire.format_record(wire.UNKNOWN_TYPE, 0, b"\x63" + bytes(7)),
            Unit(0, "UNKNOWN_TYPE", 8, "type 99"),
        ),
        (
            Side.CLIENT,
            wire.format_record(wire.STDIN, 7, b"x"),
            Unit(0, "STDIN", 1, "of request 7, which is not open"),
        ),
        (Side.CLIENT, wire.format_record(99, 0), Unit(0, "record of type 99", 0)),
    ],
)
def test_a_record_of_no_request_is_named(side: Side, record: bytes, told: Unit) -> None:
    assert watch("fastcgi").hear(side, record) == [told]


def ajp(*payloads: bytes) -> bytes:
    return b"".join(format_packet(TO_FRONT_END, payload) for payload in payloads)


HEADERS = b"\x04\x00\xc8\x00\x02OK\x00\x00\x01\xa0\x03\x00\x012\x00"
AJP = [
    (ajp(HEADERS, b"\x03\x00\x02hi\x00", b"\x05\x01"), ([200], b"hi", [""])),
    (ajp(HEADERS, b"\x03\x00\x02hi", b"\x05\x00"), ([200], b"hi", [""])),
    (
        ajp(HEADERS, b"\x03\x00\x01h\x00", b"\x05\x01"),
        ([200], b"h", ["1 bytes of a body whose Content-Length is 2"]),
    ),
    (ajp(b"\x05\x01"), ([], b"", ["no answer"])),
    (ajp(HEADERS), ([200], b"", ["closed without an END_RESPONSE"])),
    (b"HTTP", ([], b"", ["no packet of AJP13: it begins 48 54 (before byte 4)"])),
    (
        ajp(HEADERS[:9]),
        ([], b"", ["a packet shorter than what it holds (before byte 13)"]),
    ),
    (
        ajp(HEADERS[:-2]),
        ([], b"", ["a string longer than its packet (before byte 18)"]),
    ),
]


@pytest.mark.parametrize(("answer", "told"), AJP)
def test_an_answer_of_ajp(
    answer: bytes, told: tuple[list[int], bytes, list[str]]
) -> None:
    for size in SIZES:
        assert sum_up(hear("ajp", answer, size=size)) == told


def test_ajp_asks_for_the_body_and_for_signs_of_life() -> None:
    witness = watch("ajp")
    assert Unit(0, "CPONG", 1) in witness.hear(Side.SERVER, ajp(b"\x09"))
    assert Wanted(0, 8186) in witness.hear(Side.SERVER, ajp(b"\x06\x1f\xfa"))


@pytest.mark.parametrize("is_bare", [False, True])
@pytest.mark.parametrize("body", [b"\0\0begins with what ends others", b"text", b"\0"])
def test_the_body_of_a_request_of_ajp_is_whole_whoever_sends_it(
    body: bytes, is_bare: bool
) -> None:
    """lighttpd leaves out the length within a packet."""
    question = Question(method="POST", body=body)
    sent = next(word("ajp", question)).removesuffix(format_body(body))
    sent += format_packet(TO_CONTAINER, body) if is_bare else format_body(body)
    events = watch("ajp").hear(Side.CLIENT, sent)
    assert [event for event in events if isinstance(event, Data)] == [Data(1, body)]


def test_uwsgi_answers_a_ping() -> None:
    witness = watch("uwsgi")
    witness.hear(Side.CLIENT, b"\x64\0\0\0")
    assert End(1) in witness.hear(Side.SERVER, b"\x64\0\0\1")


@pytest.mark.parametrize(
    ("side", "data", "reason"),
    [
        (Side.CLIENT, b"\x16\x03\x01\x02", "no protocol begins 16 03 01 02"),
        (Side.SERVER, b"220 hello", "the server speaks first"),
    ],
)
def test_what_cannot_be_guessed_is_said(side: Side, data: bytes, reason: str) -> None:
    (told,) = watch("auto").hear(side, data)
    assert isinstance(told, Broken) and reason in told.reason


def test_what_is_no_longer_http_is_only_counted() -> None:
    witness = watch("http")
    witness.hear(Side.CLIENT, b"GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n")
    witness.hear(Side.SERVER, b"HTTP/1.1 101 Yes\r\n\r\n")
    for side in Side:
        assert witness.hear(side, b"\x81") == [Unit(0, "no longer HTTP", 1)]
        assert witness.hear(side, b"") == []


@pytest.mark.parametrize("line", [b" \n", b"X: y\n", b"X:" + b"y" * 60_000 + b"\n"])
def test_a_head_without_end_is_refused(line: bytes) -> None:
    _, _, problems = sum_up(hear("scgi", b"X: y\n" + line * 2000))
    assert problems[0].startswith("too many header fields")


def test_variables_without_end_are_refused() -> None:
    record = wire.format_record(wire.PARAMS, 1, b"\0\0" * 30_000)
    told = watch("fastcgi").hear(
        Side.CLIENT,
        wire.format_begin(1) + record + wire.format_record(wire.PARAMS, 1),
    )
    assert isinstance(told[-1], Broken)
    assert "more than 5000 variables" in told[-1].reason
