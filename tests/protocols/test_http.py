"""Requests over HTTP/1: what is taken, what is refused and why, in any pieces."""

import itertools
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.http import Http, HttpConversation
from prefork.protocols.request import Request
from prefork.protocols.terms import Limits, Terms

DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
SIZES = (1, 2, 7, 10_000)  # of the pieces that everything is cut into
STATUSES = (None, 400, 413, 414, 417, 431, 501, 505)
LIMITS = Limits()
SMALL = Limits(line=60, fields=4, field_size=50, body=1000)

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
FORM = b"POST /form HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
CHUNKS = (
    b"POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"3;a=b\r\nhel\r\n2\r\nlo\r\n0\r\nChecksum: 1\r\n\r\n"
)
EMPTY_FORM = b"POST /empty HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
PIPELINE = [GET, FORM, CHUNKS, EMPTY_FORM, b"\r\n" + GET, FORM]


def open_conversation(limits: Limits = LIMITS) -> HttpConversation:
    http = Http(
        Terms(limits=limits, defaults={"SERVER_NAME": "here", "SCRIPT_NAME": ""})
    )
    return http.converse({"REMOTE_ADDR": "192.0.2.1"})


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def read_heads(pieces: Iterable[bytes], limits: Limits = LIMITS) -> Request | None:
    """Feed a conversation until it gives a request."""
    conversation = open_conversation(limits)
    for piece in pieces:
        if request := conversation.feed(piece):
            return request
    return None


def read(data: bytes) -> Request:
    request = read_heads([data])
    assert request
    return request


def refusal_of(pieces: Iterable[bytes], limits: Limits = LIMITS) -> int | None:
    """The status that some bytes are refused with; None if they are not."""
    try:
        read_heads(pieces, limits)
    except ProtocolError as error:
        return error.status
    return None


def converse(pieces: Iterable[bytes]) -> Iterator[tuple[dict[str, str], bytes]]:
    """The requests in a stream and their bodies, as a server reads them."""
    conversation = open_conversation()
    request, payload = None, b""
    for piece in pieces:
        while piece:
            if request is None:
                request, payload = conversation.feed(piece), b""
                piece = request.rest if request else b""
            if request and request.body:
                payload += request.body.feed(piece)
                piece = request.body.rest
            if request and (not request.body or request.body.done):
                yield request.variables, payload
                request = None
    assert request is None
    assert conversation.is_idle


# ---- what a request becomes


def test_tells_a_request_in_the_variables_of_rfc_3875() -> None:
    request = read(
        b"POST /a%20b//c?x=%20&y HTTP/1.1\r\n"
        b"Host: example.com:80\r\n"
        b"content-type: text/plain\r\n"
        b"Content-Length:2\r\n"
        b"X-Value: \t caf\xe9 \t \r\n\r\nok"
    )
    assert request.variables == {
        "SERVER_NAME": "here",
        "SCRIPT_NAME": "",
        "REMOTE_ADDR": "192.0.2.1",
        "REQUEST_METHOD": "POST",
        "REQUEST_URI": "/a%20b//c?x=%20&y",
        "RAW_URI": "/a%20b//c?x=%20&y",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "PATH_INFO": "/a b//c",
        "QUERY_STRING": "x=%20&y",
        "HTTP_HOST": "example.com:80",
        "CONTENT_TYPE": "text/plain",
        "CONTENT_LENGTH": "2",
        "HTTP_X_VALUE": "caf\xe9",
    }
    assert request.rest == b"ok"


def head(*fields: str, line: str = "GET / HTTP/1.1", host: str = "Host: a") -> bytes:
    return "\r\n".join([line, *[host] * bool(host), *fields, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/a?b?c", "/a", "b?c"),
        ("//evil/x", "//evil/x", ""),
        ("/../x/./", "/../x/./", ""),
        ("/a%2fb%2F%00%0d%0a", "/a/b/\0\r\n", ""),
        ("/%e9%C3%A9", "/\xe9\xc3\xa9", ""),
        ("/%2541", "/%41", ""),  # decoded once
        ("/%zz%4", "/%zz%4", ""),
        ('/a|b{c}"', '/a|b{c}"', ""),
        ("http://b/x?y", "/x", "y"),
        ("HTTPS://b:443?y", "/", "y"),
        ("http://b", "/", ""),
    ],
)
def test_takes_path_and_query_as_data(target: str, path: str, query: str) -> None:
    variables = read(head(line=f"GET {target} HTTP/1.1")).variables
    assert variables["PATH_INFO"] == path
    assert variables["QUERY_STRING"] == query
    assert variables["REQUEST_URI"] == variables["RAW_URI"] == target


def test_believes_the_authority_of_an_absolute_target() -> None:
    request = read(head(line="GET http://real:81/ HTTP/1.1", host="Host: other"))
    assert request.variables["HTTP_HOST"] == "real:81"


def test_has_no_path_for_a_server_wide_options() -> None:
    variables = read(head(line="OPTIONS * HTTP/1.1")).variables
    assert (variables["PATH_INFO"], variables["REQUEST_URI"]) == ("", "*")


@pytest.mark.parametrize("method", ["GET", "PROPFIND", "M-SEARCH", "X" * 32])
def test_takes_any_method_in_capitals(method: str) -> None:
    assert read(head(line=f"{method} / HTTP/1.1")).variables["REQUEST_METHOD"] == method


@pytest.mark.parametrize(
    "host", ["a", "a.b:80", "a:", "[::1]:8000", "127.0.0.1", "a_b", "xn--e1a", "%41"]
)
def test_takes_a_host_as_it_is(host: str) -> None:
    assert read(head(host=f"Host: {host}")).variables["HTTP_HOST"] == host


def test_drops_names_that_could_pass_for_others() -> None:
    variables = read(
        head(
            "X_Real_User: eve", "Transfer_Encoding: x", "Proxy: evil", "X_Real_User: 2"
        )
    ).variables
    assert not [name for name in variables if "REAL" in name or "PROXY" in name]
    assert "" not in variables
    assert "HTTP_TRANSFER_ENCODING" not in variables


def test_no_field_can_set_a_variable_of_the_server() -> None:
    variables = read(
        head("Remote-Addr: evil", "Script-Name: evil", "Http-Content-Length: evil")
    ).variables
    assert variables["REMOTE_ADDR"] == "192.0.2.1"
    assert variables["SCRIPT_NAME"] == ""
    assert "HTTP_CONTENT_LENGTH" not in variables


def test_joins_repeated_fields() -> None:
    variables = read(
        head("Accept: a", "Cookie: x=1", "accept:  b ", "Cookie: y=2", "Accept: c")
    ).variables
    assert variables["HTTP_ACCEPT"] == "a,b,c"
    assert variables["HTTP_COOKIE"] == "x=1; y=2"


@pytest.mark.parametrize(
    ("version", "connection", "keep"),
    [
        ("1.1", None, True),
        ("1.1", "close", False),
        ("1.1", "keep-alive", True),
        ("1.1", "Upgrade,  CLOSE", False),
        ("1.1", "closed", True),
        ("1.0", None, False),
        ("1.0", "Keep-Alive", True),
        ("1.0", "keep-alive, close", False),
    ],
)
def test_keeps_alive_as_asked(version: str, connection: str | None, keep: bool) -> None:
    fields = [f"Connection: {connection}"] if connection else []
    assert read(head(*fields, line=f"GET / HTTP/{version}")).keep_alive is keep


def test_http_1_0_needs_no_host() -> None:
    assert "HTTP_HOST" not in read(b"GET / HTTP/1.0\r\n\r\n").variables


# ---- bodies


def test_gives_no_decoder_when_there_is_no_body() -> None:
    assert read(GET).body is None
    empty = read(EMPTY_FORM)
    assert empty.body is None
    assert empty.variables["CONTENT_LENGTH"] == "0"


@pytest.mark.parametrize("coding", ["chunked", "Chunked", "\t chunked "])
def test_hides_the_transfer_coding_that_it_decodes(coding: str) -> None:
    request = read(head(f"Transfer-Encoding: {coding}"))
    assert request.body
    assert not request.body.done
    assert "HTTP_TRANSFER_ENCODING" not in request.variables
    assert "CONTENT_LENGTH" not in request.variables


def test_takes_a_body_up_to_its_limit_and_no_longer() -> None:
    assert read_heads([head("Content-Length: 1000")], SMALL)
    assert refusal_of([head("Content-Length: 1001")], SMALL) == 413
    unlimited = Limits(body=0)
    assert read_heads([head("Content-Length: 999999999999999999")], unlimited)


def test_sees_who_waits_for_100_continue() -> None:
    length = "Content-Length: 1"
    assert read(head("Expect: 100-Continue", length)).invitation
    assert not read(head(length)).invitation
    # RFC 9110 10.1.1: ignored in HTTP/1.0, whatever it is.
    assert not read(head("Expect: magic", length, line="POST / HTTP/1.0")).invitation


# ---- refusals

MALFORMED = [
    # the request line
    (head(line="GET /"), 400, "HTTP/0.9"),
    (head(line="GET / HTTP/1.1 "), 400, "something follows the version"),
    (head(line="GET  / HTTP/1.1"), 400, "two spaces"),
    (head(line=" GET / HTTP/1.1"), 400, "space in front"),
    (head(line="GET\t/\tHTTP/1.1"), 400, "tabs for spaces"),
    (head(line="GET /a b HTTP/1.1"), 400, "space in the target"),
    (head(line="GET / HTTP/1.1\rX"), 400, "bare CR in the line"),
    (head(line="get / HTTP/1.1"), 400, "method in small letters"),
    (head(line="G(T / HTTP/1.1"), 400, "method is no token"),
    (head(line="G\x00T / HTTP/1.1"), 400, "control character in the method"),
    (head(line=f"{'X' * 33} / HTTP/1.1"), 400, "method too long"),
    (head(line="CONNECT a:80 HTTP/1.1"), 501, "we are no proxy"),
    (head(line="GET / HTTP/1.2"), 505, "unknown minor version"),
    (head(line="GET / HTTP/3.0"), 505, "unknown major version"),
    (head(line="PRI * HTTP/2.0", host="") + b"SM\r\n\r\n", 505, "HTTP/2 preface"),
    (head(line="GET / HTTP/1.10"), 400, "version of three digits"),
    (head(line="GET / HTTP/11"), 400, "version without a point"),
    (head(line="GET / http/1.1"), 400, "version in small letters"),
    (head(line="GET / HTTP/1.\xb2"), 400, "a digit that is not ASCII"),
    (head(line="GET /caf\xe9 HTTP/1.1"), 400, "target not ASCII"),
    (head(line="GET /\x7f HTTP/1.1"), 400, "DEL in the target"),
    (head(line="GET /a#b HTTP/1.1"), 400, "fragment"),
    (head(line="GET a HTTP/1.1"), 400, "relative target"),
    (head(line="GET a:80 HTTP/1.1"), 400, "authority-form without CONNECT"),
    (head(line="GET * HTTP/1.1"), 400, "asterisk-form without OPTIONS"),
    (head(line="GET ftp://a/ HTTP/1.1"), 400, "absolute-form of another scheme"),
    (head(line="GET http:///x HTTP/1.1"), 400, "absolute-form without authority"),
    (head(line="GET http://u@a/ HTTP/1.1"), 400, "userinfo in the authority"),
    (b"\r\n\r\n" + GET, 400, "two empty lines in front"),
    (b"\n" + GET, 400, "bare LF in front"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "a TLS hello"),
    # Host
    (head(host=""), 400, "HTTP/1.1 without Host"),
    (head("Host: a"), 400, "two Hosts, even the same"),
    (head(host="Host:"), 400, "empty Host"),
    (head(host="Host: a, b"), 400, "list of Hosts"),
    (head(host="Host: a,b"), 400, "list of Hosts without a space"),
    (head(host="Host: user@a"), 400, "userinfo in Host"),
    (head(host="Host: a/evil"), 400, "path in Host"),
    (head(host="Host: a:b"), 400, "port that is no number"),
    (head(host="Host: a b"), 400, "space in Host"),
    (head(host="Host: [::1"), 400, "bracket not closed"),
    (head(host="Host: caf\xe9"), 400, "Host not ASCII"),
    (head(host="Host: a@b", line="GET / HTTP/1.0"), 400, "bad Host in HTTP/1.0"),
    (head(host="Host: @", line="GET http://a/ HTTP/1.1"), 400, "ignored, yet bad"),
    # field lines
    (head("X"), 400, "no colon"),
    (head(": x"), 400, "no name"),
    (head("X : x"), 400, "space before the colon"),
    (head("X\t: x"), 400, "tab before the colon"),
    (head(" X: x"), 400, "folded field"),
    (head("A: b", "\tc"), 400, "folded value"),
    (head("X\xa0: x"), 400, "name not ASCII"),
    (head("X\x85: x"), 400, "a space of Unicode's in the name"),
    (head("X(: x"), 400, "name is no token"),
    (head("X: a\nContent-Length: 5"), 400, "bare LF in a value"),
    (head("X: a\rb"), 400, "bare CR in a value"),
    (head("X: a\r"), 400, "CR CR LF"),
    (b"GET / HTTP/1.1\nHost: a\n\n", 400, "all lines end in LF"),
    (head("X: a\0b"), 400, "NUL in a value"),
    (head("X: a\x1bb"), 400, "ESC in a value"),
    (head("X: a\x7f"), 400, "DEL in a value"),
    (head("Authorization: a", "Authorization: b"), 400, "two identities"),
    (head("Content-Type: a", "Content-Type: a"), 400, "two content types"),
    (head("Expect: 200-ok", "Content-Length: 1"), 417, "unknown expectation"),
    # the length of the body
    (head("Content-Length: 5", "Content-Length: 5"), 400, "the same length twice"),
    (head("Content-Length: 5", "Content-Length: 0"), 400, "two lengths"),
    *[
        (head(f"Content-Length: {length}"), 400, f"odd length {length!r}")
        for length in (
            *("", "+5", "-0", "5, 5", "5,5", "0_1", "1Z", "0x10", "5 0", "5.0", "\xb2"),
            *("1" * 19, "5;a", '"5"', "5\xa0"),
        )
    ],
    (head("Content-Length: 9999999999"), 413, "body over the limit"),
    # transfer codings
    (head("Transfer-Encoding: chunked", "Content-Length: 5"), 400, "both framings"),
    (head("Content-Length: 5", "Transfer-Encoding: chunked"), 400, "both framings"),
    (head("Content-Length: 5", "Transfer-Encoding: x"), 400, "both, one unknown"),
    (head("Transfer-Encoding: chunked", line="POST / HTTP/1.0"), 400, "in HTTP/1.0"),
    (head("Transfer-Encoding: chunked", "Transfer-Encoding: x"), 400, "two fields"),
    *[
        (head(f"Transfer-Encoding: {coding}"), 400, f"odd coding {coding!r}")
        for coding in (
            *("", "xchunked", "identity", "gzip", "chunked, gzip", "chunked, chunked"),
            *(",chunked", "chunked,", '"chunked"', "chunked;a", "chunked;q=1"),
            *("chunked\xa0", "chunked x", "gzip;q, chunked", "a b, chunked"),
        )
    ],
    *[
        (head(f"Transfer-Encoding: {coding}"), 501, f"coding {coding!r}")
        for coding in ["gzip, chunked", "x ,\tchunked", 'y;a="b", chunked']
    ],
]


@pytest.mark.parametrize(
    ("data", "status"),
    [row[:2] for row in MALFORMED],
    ids=[row[2] for row in MALFORMED],
)
def test_refuses(data: bytes, status: int) -> None:
    for size in SIZES:
        assert refusal_of(cut(data, size)) == status, f"in pieces of {size}"


TOO_LONG = [
    (head(line=f"GET /{'a' * 46} HTTP/1.1"), None, "line at its limit"),
    (head(line=f"GET /{'a' * 47} HTTP/1.1"), 414, "line over its limit"),
    (head(f"X: {'a' * 47}"), None, "field at its limit"),
    (head(f"X: {'a' * 48}"), 431, "field over its limit"),
    (head(f"X: {'a' * 48}", "Y: b"), 431, "field over its limit, not the last"),
    (head("A: a", "B: b", "C: c"), None, "as many fields as allowed"),
    (head("A: a", "B: b", "C: c", "D: d"), 431, "one field more"),
    (head("A: a", "A: b", "A: c", "A: d"), 431, "one field more, of one name"),
    (head("A_: a", "A_: b", "A_: c", "A_: d"), 431, "one field more, to be dropped"),
]


@pytest.mark.parametrize(
    ("data", "status"), [row[:2] for row in TOO_LONG], ids=[row[2] for row in TOO_LONG]
)
def test_counts_to_the_limits(data: bytes, status: int | None) -> None:
    for size in SIZES:
        assert refusal_of(cut(data, size), SMALL) == status, f"in pieces of {size}"


@pytest.mark.parametrize(
    ("start", "more", "status"),
    [
        (b"GET /", b"a", 414),
        (b"GET / HTTP/1.1\r\nX: ", b"a", 431),
        (b"GET / HTTP/1.1\r\n", b"X: a\r\n", 431),
        (b"GET / HTTP/1.1\r\n", b"X: %b\r\n" % (b"a" * 5000), 431),
        (b"", b"\r\n", 400),
    ],
    ids=["request line", "field", "fields", "head", "empty lines"],
)
def test_refuses_an_endless_head_before_it_ends(
    start: bytes, more: bytes, status: int
) -> None:
    taken = itertools.count()
    pieces = (more for _ in taken)
    assert refusal_of(itertools.chain([start], pieces)) == status
    assert next(taken) * len(more) < 200_000


def test_refuses_a_long_head_that_comes_at_once() -> None:
    fields = [f"X-{number}: {'a' * 8000}" for number in range(20)]
    assert refusal_of([head(*fields)]) == 431


@pytest.mark.parametrize(
    "data",
    [
        b"GET /\r\n",
        b"GET / HTTP/1.1\nHost: a\n\n",
        b"\x16\x03\x01\x00\xa5",
        b"GET / HTTP/1.1\r\nHost: a\r\n\rGET",
        b"PRI * HTTP/2.0\r\n",
    ],
    ids=["HTTP/0.9", "lines that end in LF", "TLS", "CR alone", "HTTP/2"],
)
def test_does_not_wait_for_the_end_of_what_cannot_become_a_head(data: bytes) -> None:
    assert refusal_of([data]) in (400, 505)


def feed_all(
    conversation: HttpConversation, pieces: Iterable[bytes]
) -> list[Request | None]:
    return [conversation.feed(piece) for piece in pieces]


@pytest.mark.parametrize("size", SIZES)
def test_remembers_the_request_line_of_what_it_refused(size: int) -> None:
    conversation = open_conversation()
    assert conversation.request_line == ""
    with pytest.raises(ProtocolError):
        feed_all(
            conversation, cut(b"\r\n" + head("X : y", line="GET /x HTTP/1.1"), size)
        )
    assert conversation.request_line == "GET /x HTTP/1.1"


# ---- pieces


def test_is_idle_until_a_request_begins() -> None:
    conversation = open_conversation()
    for piece, is_idle in [(b"", True), (b"\r", True), (b"\n", True), (b"G", False)]:
        assert conversation.feed(piece) is None
        assert conversation.is_idle is is_idle
    assert conversation.feed(GET[1:])
    assert conversation.is_idle


def test_with_half_of_an_empty_line_nobody_else_could_go_on() -> None:
    """What follows would begin with a bare LF there."""
    conversation = open_conversation()
    for piece, has_leftover in [(b"\r", True), (b"\n", False), (b"G", False)]:
        assert conversation.feed(piece) is None
        assert conversation.has_leftover is has_leftover
    conversation = open_conversation()
    conversation.feed(b"\r")
    assert conversation.feed(b"\n" + GET)
    assert not conversation.has_leftover


@pytest.mark.parametrize("size", SIZES)
def test_reads_the_same_however_it_is_cut(size: int) -> None:
    stream = b"".join(PIPELINE)
    assert list(converse(cut(stream, size))) == list(converse(PIPELINE))
    bodies = [payload for _, payload in converse([stream])]
    assert bodies == [b"", b"hello", b"hello", b"", b"", b"hello"]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, len(b"".join(PIPELINE))), max_size=12))
def test_reads_the_same_wherever_it_is_cut(cuts: list[int]) -> None:
    stream = b"".join(PIPELINE)
    places = [0, *sorted(cuts), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(places)]
    assert list(converse(pieces)) == list(converse([stream]))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=60), st.sampled_from([row[0] for row in MALFORMED]))
def test_raises_nothing_but_protocol_errors(noise: bytes, data: bytes) -> None:
    middle = len(data) // 2
    for hostile in (noise, data[:middle] + noise + data[middle:]):
        assert refusal_of(cut(hostile, 9)) in STATUSES
        assert refusal_of([hostile + b"\r\n\r\n"]) in STATUSES


def test_a_head_that_comes_byte_by_byte_costs_no_more_than_its_size() -> None:
    fields = [f"X-{number}: {'a' * 8000}" for number in range(8)]
    data = head(*fields)
    conversation = open_conversation()
    # Not timed: a quadratic conversation would take minutes for these 64 KiB.
    requests = feed_all(conversation, cut(data, 1))
    assert requests[-1]
    assert not any(requests[:-1])


# ---- answers to refused requests


@pytest.mark.parametrize("status", [400, 408, 413, 414, 417, 431, 501, 505, 599])
def test_answers_a_refused_request_without_repeating_it(status: int) -> None:
    answer = open_conversation().refuse(
        ProtocolError("secret", status=status), date=DATE
    )
    start, _, page = answer.partition(b"\r\n\r\n")
    lines = start.split(b"\r\n")
    assert lines[0].startswith(b"HTTP/1.1 %d " % status)
    assert b"Connection: close" in lines
    assert b"Date: " + DATE.encode() in lines
    assert b"Content-Length: %d" % len(page) in lines
    assert b"secret" not in answer
