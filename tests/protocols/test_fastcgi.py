"""FastCGI: what is a request, what is said in between, what is refused and why."""

import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving.fastcgi import (
    begin,
    get,
    params,
    post,
    record,
    split_records,
    stream,
    understand,
)

from prefork.errors import ProtocolError, RequestAborted
from prefork.protocols import fastcgi_records as wire
from prefork.protocols.fastcgi import Fastcgi, FastcgiConversation
from prefork.protocols.request import Request
from prefork.protocols.terms import Limits, Terms

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
SIZES = (1, 2, 7, 100_000)  # of the pieces that everything is cut into
DEFAULTS = {"SERVER_NAME": "here", "SERVER_PORT": "80", "SCRIPT_NAME": ""}
LIMITS = Limits()
SMALL = Limits(variables=5, variables_size=300, body=1000)


def open_conversation(
    limits: Limits = LIMITS, capacity: int = 3
) -> FastcgiConversation:
    terms = Terms(limits=limits, defaults=DEFAULTS, capacity=capacity)
    return Fastcgi(terms).converse({"REMOTE_ADDR": "192.0.2.1"})


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


class Served:
    """One request as a server has read it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.variables = request.variables
        self.body = b""


def converse(
    conversation: FastcgiConversation, pieces: Iterable[bytes]
) -> Iterator[Served]:
    """The requests in a stream, as a server reads them."""
    served: Served | None = None
    for piece in pieces:
        while piece:
            if served is None:
                if not (request := conversation.feed(piece)):
                    break
                served, piece = Served(request), request.rest
            if served.request.body:
                served.body += served.request.body.feed(piece)
                if not served.request.body.done:
                    break
                piece = served.request.body.rest
            yield served
            served = None


def read(data: bytes) -> Served:
    (served,) = converse(open_conversation(), [data])
    return served


def refusal_of(pieces: Iterable[bytes], limits: Limits) -> tuple[str, int, bytes]:
    """Why a stream is refused, and what its sender is answered."""
    conversation = open_conversation(limits)
    with pytest.raises(ProtocolError) as caught:
        list(converse(conversation, pieces))
    error = caught.value
    return error.reason, error.status, conversation.refuse(error, date=DATE)


# ---- requests


def test_a_request_without_a_body_comes_whole_in_one_piece() -> None:
    request = open_conversation().feed(get("/a%20b?c=d", HTTP_HOST="x", keep=True))
    assert request and request.body is None and request.rest == b""
    assert request.keep_alive
    assert request.variables["REQUEST_METHOD"] == "GET"
    assert request.variables["PATH_INFO"] == "/a b"
    assert request.variables["QUERY_STRING"] == "c=d"
    assert request.variables["HTTP_HOST"] == "x"
    assert request.variables["REMOTE_ADDR"] == "192.0.2.1"
    assert request.variables["FCGI_ROLE"] == "RESPONDER"


def test_a_body_is_read_to_its_end() -> None:
    served = read(post("/form", b"name=value"))
    assert served.body == b"name=value"
    assert served.variables["CONTENT_LENGTH"] == "10"


@pytest.mark.parametrize("length", ["", "-1", None])
def test_a_body_may_be_of_any_length_that_was_not_said(length: str | None) -> None:
    """nginx says '' for a chunked upload, Caddy -1, Apache nothing."""
    more = {} if length is None else {"CONTENT_LENGTH": length}
    data = begin(REQUEST_METHOD="POST", **more) + stream(wire.STDIN, b"abc" * 9, size=4)
    served = read(data)
    assert served.body == b"abc" * 9
    assert "CONTENT_LENGTH" not in served.variables


@pytest.mark.parametrize("step", [1, 3, 5, 64])
def test_a_pair_may_be_cut_between_records_anywhere(step: int) -> None:
    """flup 1.0.3 decodes record by record, and gives half of the value."""
    block = params(REQUEST_METHOD="GET", REQUEST_URI="/", LONG="v" * 300, AFTER="x")
    data = wire.format_begin(1) + stream(wire.PARAMS, block, size=step)
    variables = read(data + stream(wire.STDIN)).variables
    assert variables["LONG"] == "v" * 300
    assert variables["AFTER"] == "x"


@pytest.mark.parametrize("padding", [1, 7, 8, 255])
def test_padding_is_passed_over_wherever_it_is(padding: int) -> None:
    block = params(REQUEST_METHOD="PUT", REQUEST_URI="/", CONTENT_LENGTH="4")
    data = b"".join(
        record(kind, content, padding=padding)
        for kind, content in [
            (wire.BEGIN_REQUEST, wire.BEGIN.pack(wire.RESPONDER, wire.KEEP_CONN)),
            (wire.PARAMS, block[:9]),
            (wire.PARAMS, block[9:]),
            (wire.PARAMS, b""),
            (wire.STDIN, b"bo"),
            (wire.STDIN, b"dy"),
            (wire.STDIN, b""),
        ]
    )
    for size in SIZES:
        first, second = converse(open_conversation(), cut(data + get("/next"), size))
        assert first.body == b"body"
        assert second.variables["REQUEST_URI"] == "/next"


def test_ids_are_the_front_ends_to_choose() -> None:
    """HAProxy counts 1, 3, 5 on a connection."""
    conversation = open_conversation()
    data = b"".join(get(f"/{n}", number=n, keep=True) for n in (1, 3, 65535))
    served = []
    for each in converse(conversation, [data]):
        served.append(each.variables["REQUEST_URI"])
        answer = conversation.answer(each.request, date=DATE, keep_alive=True)
        said = answer.start("200 OK", [], b"x", complete=True)
        assert {number for _, number, _ in split_records(said)} == {
            int(each.variables["REQUEST_URI"][1:])
        }
    assert served == ["/1", "/3", "/65535"]


def test_whole_requests_in_one_read_are_served_one_after_the_other() -> None:
    """libfcgi loses the second."""
    data = post("/1", b"one", keep=True) + get("/2", keep=True) + post("/3", b"three")
    for size in SIZES:
        served = list(converse(open_conversation(), cut(data, size)))
        found = [(each.variables["REQUEST_URI"], each.body) for each in served]
        assert found == [("/1", b"one"), ("/2", b""), ("/3", b"three")]
        assert [each.request.keep_alive for each in served] == [True, True, False]


def test_a_connection_is_idle_until_a_request_begins() -> None:
    conversation = open_conversation()
    assert conversation.is_idle
    question = record(wire.GET_VALUES, b"", number=0)
    assert conversation.feed(question) is None and conversation.is_idle
    assert not open_then_feed(get()[:1]).is_idle
    assert not open_then_feed(get()[:16]).is_idle


def open_then_feed(data: bytes) -> FastcgiConversation:
    conversation = open_conversation()
    conversation.feed(data)
    return conversation


# ---- roles


def test_an_authorizer_has_no_body_and_lacks_variables() -> None:
    """Not every web server sends even the end of STDIN."""
    start = begin(role=wire.AUTHORIZER, keep=True, CONTENT_LENGTH="7")
    conversation = open_conversation()
    for end in (b"", stream(wire.STDIN)):
        request = conversation.feed(start + end)
        assert request and request.body is None and request.rest == b""
        assert request.variables["FCGI_ROLE"] == "AUTHORIZER"
        assert "CONTENT_LENGTH" not in request.variables
    # one that comes late is of a request that is over
    assert conversation.feed(stream(wire.STDIN)) is None
    assert conversation.feed(get())


def test_a_filter_reads_its_data_behind_its_input() -> None:
    start = begin(role=wire.FILTER, CONTENT_LENGTH="3", FCGI_DATA_LENGTH="600")
    data = start + stream(wire.STDIN, b"one") + stream(wire.DATA, b"file" * 150, size=7)
    for size in SIZES:
        (served,) = converse(open_conversation(), cut(data, size))
        length = int(served.variables["CONTENT_LENGTH"])
        assert served.body[:length] == b"one"
        assert served.body[length:] == b"file" * 150
        assert served.variables["FCGI_ROLE"] == "FILTER"


def test_a_filter_without_input_says_so() -> None:
    data = begin(role=wire.FILTER, FCGI_DATA_LENGTH="2") + stream(wire.STDIN)
    served = read(data + stream(wire.DATA, b"ab"))
    assert (served.variables["CONTENT_LENGTH"], served.body) == ("0", b"ab")


# ---- what is said in between


def test_values_are_told_and_unknown_ones_left_out() -> None:
    """flup 1.0.3 tells none: it looks bytes up among texts."""
    conversation = open_conversation(capacity=17)
    asked = params(FCGI_MAX_CONNS="", FCGI_MPXS_CONNS="", OTHER="", FCGI_MAX_REQS="")
    assert conversation.feed(record(wire.GET_VALUES, asked, number=0)) is None
    ((kind, number, content),) = split_records(conversation.replies)
    assert (kind, number) == (wire.GET_VALUES_RESULT, 0)
    assert dict(wire.parse_pairs(content)) == {
        "FCGI_MAX_CONNS": "17",
        "FCGI_MAX_REQS": "17",
        "FCGI_MPXS_CONNS": "0",
    }


def test_a_value_asked_for_often_is_told_once() -> None:
    conversation = open_conversation()
    asked = params(FCGI_MAX_CONNS="") * 4000
    conversation.feed(record(wire.GET_VALUES, asked, number=0))
    assert len(conversation.replies) < 50


@pytest.mark.parametrize("kind", [10, 11, 12, 100, 255])
def test_unknown_management_records_are_told_to_be_so(kind: int) -> None:
    conversation = open_conversation()
    assert conversation.feed(record(kind, b"what?", number=0, padding=3)) is None
    ((answered, number, content),) = split_records(conversation.replies)
    assert (answered, number) == (wire.UNKNOWN_TYPE, 0)
    assert content == bytes((kind, 0, 0, 0, 0, 0, 0, 0))


def test_unknown_records_of_a_request_are_passed_over() -> None:
    whole = post("/", b"body")
    odd = record(77, b"odd") + record(200, b"")
    at = 16
    served = read(whole[:at] + odd + whole[at:-8] + odd + whole[-8:])
    assert served.body == b"body"


def test_small_talk_in_the_middle_of_a_body_is_answered_at_once() -> None:
    data = (
        begin(REQUEST_METHOD="POST")
        + record(wire.STDIN, b"one ")
        + record(wire.GET_VALUES, params(FCGI_MAX_REQS=""), number=0, padding=5)
        + record(99, b"", number=0)
        + stream(wire.STDIN, b"two")
    )
    for size in SIZES:
        conversation = open_conversation()
        (served,) = converse(conversation, cut(data, size))
        assert served.body == b"one two"
        kinds = [kind for kind, _, _ in split_records(conversation.replies)]
        assert kinds == [wire.GET_VALUES_RESULT, wire.UNKNOWN_TYPE]


@pytest.mark.parametrize("late", [False, True])
def test_a_second_request_before_the_first_is_whole_is_declined(late: bool) -> None:
    """In the head of the first, and in its body."""
    first, second = post("/1", b"body", keep=True), get("/2", number=2, keep=True)
    at = len(first) - 8 if late else 16
    data = first[:at] + second + first[at:] + get("/3", number=2)
    for size in SIZES:
        conversation = open_conversation()
        served = list(converse(conversation, cut(data, size)))
        assert [each.variables["REQUEST_URI"] for each in served] == ["/1", "/3"]
        assert served[0].body == b"body"
        declined = understand(conversation.replies, number=2)
        assert declined.protocol == wire.CANT_MPX_CONN and not declined.output


def test_the_rest_of_a_declined_request_may_come_after_the_first() -> None:
    first, second = get("/1", keep=True), get("/2", number=2, keep=True)
    conversation = open_conversation()
    mixed = first[:16] + second[:16] + first[16:] + second[16:] + get("/3", number=2)
    served = list(converse(conversation, [mixed]))
    assert [each.variables["REQUEST_URI"] for each in served] == ["/1", "/3"]


def test_an_unknown_role_is_declined_and_the_connection_kept_if_wanted() -> None:
    conversation = open_conversation()
    assert conversation.feed(begin(role=7, keep=True) + stream(wire.STDIN)) is None
    declined = understand(conversation.replies)
    assert declined.protocol == wire.UNKNOWN_ROLE and not declined.output
    assert conversation.feed(get("/next"))


def test_an_unknown_role_ends_a_connection_that_is_not_to_be_kept() -> None:
    reason, status, answer = refusal_of([begin(role=0)], Limits())
    assert (reason, status) == ("unknown role", 501)
    declined = understand(answer)
    assert declined.protocol == wire.UNKNOWN_ROLE and not declined.output


def test_a_connection_that_is_kept_survives_an_abort_of_the_head() -> None:
    conversation = open_conversation()
    begun = get("/1", keep=True)[: wire.HEADER.size + 8]  # BEGIN_REQUEST alone
    assert conversation.feed(begun + record(wire.ABORT_REQUEST)) is None
    told = understand(conversation.replies)
    assert (told.application, told.protocol) == (0, wire.REQUEST_COMPLETE)
    assert conversation.is_idle
    request = conversation.feed(get("/2", keep=True))
    assert request is not None
    assert request.variables["REQUEST_URI"] == "/2"


def test_an_abort_of_the_head_ends_a_connection_that_is_not_kept() -> None:
    data = post("/", b"body")[:16] + record(wire.ABORT_REQUEST)
    for size in SIZES:
        reason, _, answer = refusal_of(cut(data, size), Limits())
        assert reason == "the front end has aborted the request"
        aborted = understand(answer)
        assert (aborted.application, aborted.protocol) == (0, wire.REQUEST_COMPLETE)
        assert not aborted.output


@pytest.mark.parametrize("padding", [0, 9])
def test_a_request_can_be_aborted_in_its_body(padding: int) -> None:
    """FastCGI specification 5.4; what follows the abort is the next request."""
    begun = post("/1", b"body", keep=True)[:-8]
    data = begun + record(wire.ABORT_REQUEST, padding=padding) + get("/2")
    for size in SIZES:
        conversation, body = open_conversation(), None
        pieces = iter(cut(data, size))
        for piece in pieces:
            request = conversation.feed(piece) if body is None else None
            if request is not None:
                body, piece = request.body, request.rest
            if body is not None:
                try:
                    body.feed(piece)
                except RequestAborted:
                    break
        error = ProtocolError("")
        aborted = understand(conversation.refuse(error, date=DATE))
        assert (aborted.application, aborted.protocol) == (0, wire.REQUEST_COMPLETE)
        assert not aborted.output
        assert body and not body.done and body.may_be_left
        with pytest.raises(RequestAborted):
            body.feed(b"")  # whoever reads on hears it again
        (served,) = converse(conversation, [body.rest, *pieces])
        assert served.variables["REQUEST_URI"] == "/2"


def test_an_answer_that_nobody_wants_any_more_ends_at_once() -> None:
    conversation = open_conversation()
    request = conversation.feed(get("/", number=258, keep=True))
    assert request
    answer = conversation.answer(request, date=DATE, keep_alive=True)
    assert record(wire.ABORT_REQUEST, number=258).startswith(answer.abortion)
    begun = answer.start("200 OK", [], b"x", complete=False)
    told = understand(begun + answer.abandon(), number=258)
    assert (told.body, told.protocol) == (b"x", wire.REQUEST_COMPLETE)
    assert answer.abandon() == answer.end() == b""


def test_a_body_may_be_left_wherever_its_reader_stops() -> None:
    """FastCGI specification 3.3: what is of a request that is over is ignored.

    Apache goes on with another request, others with the rest of the body.
    """
    start = begin(keep=True, REQUEST_METHOD="POST")
    smuggled = get("/smuggled", keep=True)
    whole = start + stream(wire.STDIN, smuggled * 2, size=len(smuggled) + 9)
    records = record(wire.STDIN, b"odd", padding=7) + record(99, b"", number=0)
    whole = whole[:-8] + records + whole[-8:]
    for at in range(len(start), len(whole)):
        conversation = open_conversation()
        request = conversation.feed(start)
        assert request and request.body
        request.body.feed(whole[len(start) : at])
        assert not request.body.done and request.body.may_be_left
        rest = request.body.rest + whole[at:] + get("/next", keep=True)
        for size in (7, 1 << 20):
            (served,) = converse(conversation, cut(rest, size))
            assert served.variables["REQUEST_URI"] == "/next"


def test_a_body_that_is_malformed_may_not_be_left() -> None:
    request = open_conversation().feed(begin(CONTENT_LENGTH="1", keep=True))
    assert request and request.body and request.body.may_be_left
    with pytest.raises(ProtocolError):
        request.body.feed(record(wire.STDIN, b"too much"))
    assert not request.body.may_be_left


def test_what_is_left_of_a_body_is_no_request_that_begins() -> None:
    """Who leaves in the middle of that has not broken off a request."""
    conversation = open_conversation()
    assert conversation.feed(record(wire.STDIN, b"x" * 100)[:50]) is None
    assert conversation.is_idle and conversation.has_leftover
    assert conversation.feed(b"x" * 58) is None
    assert conversation.is_idle and not conversation.has_leftover


def test_behind_what_is_left_a_request_begins_anew() -> None:
    """A sibling could go on with it: nothing of what was left is to come."""
    conversation = open_conversation()
    left = record(wire.STDIN, b"x" * 100)
    assert conversation.feed(left[:50]) is None
    assert conversation.feed(left[50:] + get(keep=True))
    assert not conversation.has_leftover


def test_what_belongs_to_no_request_is_limited_as_a_body_is() -> None:
    conversation = open_conversation(Limits(body=100))
    for _ in range(2):
        assert conversation.feed(record(wire.STDIN, b"x" * 100)) is None
        assert conversation.feed(get("/", keep=True))
    assert conversation.feed(record(wire.STDIN, b"x" * 100)) is None
    with pytest.raises(ProtocolError) as refused:
        conversation.feed(record(wire.STDIN, b"x"))
    assert refused.value.status == 413
    assert conversation.refuse(refused.value, date=DATE) == b""


def test_an_abort_that_comes_too_late_is_passed_over() -> None:
    data = get("/1", keep=True) + record(wire.ABORT_REQUEST) + get("/2")
    served = list(converse(open_conversation(), [data]))
    assert [each.variables["REQUEST_URI"] for each in served] == ["/1", "/2"]


def test_records_of_nobody_are_passed_over() -> None:
    stray = record(wire.STDIN, b"x", number=9) + record(wire.PARAMS, b"y", number=8)
    end = record(wire.END_REQUEST, bytes(8), number=7)
    served = read(stray + end + get("/here"))
    assert served.variables["REQUEST_URI"] == "/here"


# ---- what is refused

BIG = params(REQUEST_METHOD="GET", REQUEST_URI="/" + "x" * 400)
MANY = params(REQUEST_METHOD="GET", A="", B="", C="", D="", E="")


def with_params(block: bytes) -> bytes:
    return wire.format_begin(1) + stream(wire.PARAMS, block) + stream(wire.STDIN)


def with_type(kind: int, **options: int) -> bytes:
    return wire.format_begin(1) + record(kind, b"x", **options)


MALFORMED = [
    (b"\x02" + get()[1:], "not FastCGI 1", 400),
    (b"GET / HTTP/1.1\r\n\r\n", "not FastCGI 1", 400),
    (b"GET", "not FastCGI 1", 400),
    (get()[:16] + b"\x00" + get()[17:], "not FastCGI 1", 400),
    (get()[:-8] + b"\x02" + get()[-7:], "not FastCGI 1", 400),
    (record(wire.BEGIN_REQUEST, b"\0\1\0"), "malformed BEGIN_REQUEST", 400),
    (record(wire.BEGIN_REQUEST, bytes(9)), "malformed BEGIN_REQUEST", 400),
    (
        wire.format_begin(1) + record(wire.BEGIN_REQUEST, bytes(7)),
        "malformed BEGIN_REQUEST",
        400,
    ),
    (wire.format_begin(1) * 2, "BEGIN_REQUEST twice", 400),
    (begin() + wire.format_begin(1), "BEGIN_REQUEST twice", 400),
    (wire.format_begin(0), "BEGIN_REQUEST with request id 0", 400),
    (record(wire.PARAMS, number=0), "PARAMS with request id 0", 400),
    (record(wire.STDIN, b"x", number=0), "STDIN with request id 0", 400),
    (record(0, number=0), "0 with request id 0", 400),
    (with_type(wire.STDIN), "STDIN in the wrong place", 400),
    (with_type(wire.STDOUT), "STDOUT in the wrong place", 400),
    (with_type(wire.END_REQUEST), "END_REQUEST in the wrong place", 400),
    (with_type(wire.DATA), "DATA in the wrong place", 400),
    (with_type(wire.GET_VALUES), "GET_VALUES in the wrong place", 400),
    (begin() + record(wire.PARAMS, b"x"), "PARAMS instead of STDIN", 400),
    (begin() + record(wire.DATA, b"x"), "DATA instead of STDIN", 400),
    (begin() + record(wire.STDERR, b"x"), "STDERR in the wrong place", 400),
    (
        record(wire.GET_VALUES, b"\xff", number=0),
        "a pair ends in the middle of its lengths",
        400,
    ),
    (with_params(b"\x05"), "a pair ends in the middle of its lengths", 400),
    (with_params(b"\x7f\x7fx"), "a pair is longer than what carries it", 400),
    (
        with_params(b"\xff\xff\xff\xff\xff\xff\xff\xff"),
        "a pair is longer than what carries it",
        400,
    ),
    (with_params(b""), "no method", 400),
    (with_params(params(REQUEST_METHOD="G T")), "malformed REQUEST_METHOD", 400),
    (
        with_params(wire.format_pairs([("REQUEST_METHOD", "GET"), ("", "x")])),
        "malformed name of a variable",
        400,
    ),
    (
        with_params(wire.format_pairs([("REQUEST_METHOD", "GET"), ("A=B", "x")])),
        "malformed name of a variable",
        400,
    ),
    (with_params(params(REQUEST_METHOD="GET", A="\0")), "NUL in a variable", 400),
    (with_params(BIG), "PARAMS too long", 431),
    (with_params(MANY), "too many variables", 431),
    (begin(CONTENT_LENGTH="x"), "malformed CONTENT_LENGTH", 400),
    (begin(CONTENT_LENGTH="-2"), "malformed CONTENT_LENGTH", 400),
    (begin(CONTENT_LENGTH="9" * 19), "malformed CONTENT_LENGTH", 400),
    (begin(CONTENT_LENGTH="1001"), "body too long", 413),
    (begin() + stream(wire.STDIN, b"x" * 1001), "body too long", 413),
    (
        begin(CONTENT_LENGTH="5") + stream(wire.STDIN, b"four"),
        "STDIN shorter than was announced",
        400,
    ),
    (
        begin(CONTENT_LENGTH="5") + stream(wire.STDIN),
        "STDIN shorter than was announced",
        400,
    ),
    (
        begin(CONTENT_LENGTH="3") + stream(wire.STDIN, b"four"),
        "STDIN longer than was announced",
        400,
    ),
    (begin(role=wire.FILTER), "no length of DATA", 400),
    (begin(role=wire.FILTER, FCGI_DATA_LENGTH="-1"), "malformed FCGI_DATA_LENGTH", 400),
    (begin(role=wire.FILTER, FCGI_DATA_LENGTH="1001"), "DATA too long", 413),
    (
        begin(role=wire.FILTER, FCGI_DATA_LENGTH="2")
        + stream(wire.STDIN)
        + stream(wire.DATA, b"1"),
        "DATA shorter than was announced",
        400,
    ),
    (
        begin(role=wire.FILTER, FCGI_DATA_LENGTH="2") + stream(wire.DATA, b"12"),
        "DATA instead of STDIN",
        400,
    ),
]


@pytest.mark.parametrize(("data", "reason", "status"), MALFORMED)
def test_what_is_malformed_is_refused_with_its_reason(
    data: bytes, reason: str, status: int
) -> None:
    for size in SIZES:
        found, as_status, answer = refusal_of(cut(data, size), SMALL)
        assert (found, as_status) == (reason, status)
        if answer:
            refusal = understand(answer)
            assert refusal.status == status and refusal.protocol == 0


def test_nobody_is_answered_who_has_not_begun_a_request() -> None:
    assert refusal_of([b"GET / HTTP/1.1\r\n\r\n"], SMALL)[2] == b""
    assert refusal_of([get() + b"\x07"], SMALL)[2] == b""


def test_overload_is_said_in_both_ways() -> None:
    """Nobody retries, or tells the client, for the protocol's word alone."""
    conversation = open_then_feed(get()[:40])
    error = ProtocolError("the lobby is full", status=503)
    answer = understand(conversation.refuse(error, date=DATE))
    assert (answer.status, answer.protocol) == (503, wire.OVERLOADED)


def test_what_was_asked_before_a_mistake_is_answered() -> None:
    conversation = open_conversation()
    with pytest.raises(ProtocolError) as caught:
        conversation.feed(record(99, number=0) + b"GET")
    ((kind, _, _),) = split_records(conversation.refuse(caught.value, date=DATE))
    assert kind == wire.UNKNOWN_TYPE


def test_a_refused_request_is_known_by_its_line() -> None:
    conversation = open_conversation()
    with pytest.raises(ProtocolError):
        conversation.feed(begin(CONTENT_LENGTH="x", SERVER_PROTOCOL="HTTP/1.0"))
    assert conversation.request_line == "GET / HTTP/1.0"


# ---- who is heard


@pytest.mark.parametrize(
    ("addresses", "peer", "is_heard"),
    [
        (None, "192.0.2.1", True),
        (None, "", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("10.0.0.1, 192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("10.0.0.1", "::ffff:192.0.2.1", False),
        ("10.0.0.1", "192.0.2.1", False),
        ("10.0.0.1,", "", False),
        ("", "10.0.0.1", True),
        ("unix", "", False),
    ],
)
def test_only_the_named_web_servers_are_heard(
    addresses: str | None, peer: str, is_heard: bool
) -> None:
    language = Fastcgi(Terms(defaults=DEFAULTS, web_servers=addresses))
    if is_heard:
        assert language.converse({"REMOTE_ADDR": peer}).feed(get())
    else:
        with pytest.raises(ProtocolError, match="FCGI_WEB_SERVER_ADDRS"):
            language.converse({"REMOTE_ADDR": peer})


# ---- in any pieces

TEXT = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=200)
NAMES = st.from_regex(r"X_[A-Z]{1,200}", fullmatch=True)


@given(
    st.dictionaries(NAMES, TEXT, max_size=10),
    st.binary(max_size=3000),
    st.integers(1, 700),
    st.integers(1, 700),
    st.lists(st.integers(1, 400), min_size=1, max_size=20),
)
@settings(max_examples=60, deadline=None)
def test_any_request_is_read_as_it_was_sent(
    variables: dict[str, str],
    body: bytes,
    params_size: int,
    body_size: int,
    steps: list[int],
) -> None:
    block = params(REQUEST_METHOD="POST", REQUEST_URI="/x", **variables)
    data = (
        wire.format_begin(1, keep=True)
        + stream(wire.PARAMS, block, size=params_size)
        + stream(wire.STDIN, body, size=body_size)
        + get("/next", number=2)
    )
    pieces, sizes = [], itertools.cycle(steps)
    while data:
        size = next(sizes)
        pieces.append(data[:size])
        data = data[size:]
    first, second = converse(open_conversation(), pieces)
    assert first.body == body
    assert {name: first.variables[name] for name in variables} == variables
    assert second.variables["REQUEST_URI"] == "/next"


@pytest.mark.parametrize("at", range(0, len(post("/", b"body")) - 1, 5))
def test_a_hang_up_in_the_middle_is_no_request(at: int) -> None:
    assert not list(converse(open_conversation(), [post("/", b"body")[:at]]))


def test_small_pieces_of_large_records_cost_what_they_weigh() -> None:
    """Each byte is copied a few times, not once for each piece after it."""

    class Counting(bytearray):
        copied = 0

        def __iadd__(self, more: object) -> "Counting":
            Counting.copied += len(more)  # type: ignore[arg-type]
            return super().__iadd__(more)  # type: ignore[arg-type]

    conversation = open_conversation()
    conversation._buffer = Counting()
    block = params(REQUEST_METHOD="GET", REQUEST_URI="/", BIG="x" * 60_000)
    data = with_params(block)
    assert list(converse(conversation, cut(data, 1)))
    assert Counting.copied < 3 * len(data)


def test_a_body_of_no_bytes_is_not_waited_for() -> None:
    """HAProxy leaves out the end of STDIN after a chunked upload of nothing."""
    conversation = open_conversation()
    first = begin(keep=True, REQUEST_METHOD="POST", CONTENT_LENGTH="0")
    request = conversation.feed(first)
    assert request is not None
    assert request.body is None
    # It may come after all, and be followed by another request.
    late = stream(wire.STDIN) + get("/next", number=3, keep=True)
    after = conversation.feed(late)
    assert after is not None
    assert after.variables["REQUEST_URI"] == "/next"
