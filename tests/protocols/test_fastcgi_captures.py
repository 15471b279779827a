"""What real web servers sent over FastCGI is understood, however it is cut."""

import pytest
from serving.captures import ASKED, Asked, Capture, captures_of
from serving.feeding import SIZES, Heard, cut, hear, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.fastcgi_records import GET_VALUES_RESULT, HEADER
from prefork.protocols.path import decode_percent, resolve_dots

# lighttpd, with a key that it did not take for one of FastCGI's, spoke AJP13.
MISTAKEN = "lighttpd-fastcgi-php-get"
CAPTURES = [c for c in captures_of("fastcgi") if c.name != MISTAKEN]
every_capture = pytest.mark.parametrize(
    "capture", CAPTURES, ids=[capture.name for capture in CAPTURES]
)
# What those captures are of whose name is no case of ASKED, or another's.
ONE, TWO = Asked("GET", "/one"), Asked("GET", "/two")
SPECIAL = {
    "nginx-fastcgi-keep-keepalive": [ONE, TWO],
    "apache-fastcgi-keep-keepalive": [ONE, TWO],
    "haproxy-fastcgi-keep-keepalive": [ONE],
    "haproxy-fastcgi-keep-get": [ASKED["get"], TWO],
    "haproxy-fastcgi-fk-two": [ONE, TWO],
    "haproxy-fastcgi-mpx": [Asked("GET", "/x0")],
    "haproxy-fastcgi-mpx-conn2": [Asked("GET", "/x1"), Asked("GET", "/x2")],
    "haproxy-fastcgi-abortonclose": [Asked("GET", "/x")],
    "haproxy-fastcgi-head-nobody": [Asked("HEAD", "/x")],
    "haproxy-fastcgi-proxyheader": [Asked("GET", "/c")],
    "haproxy-fastcgi-chunked-slow-40k": [],  # a connection and not a word
    "cgifcgi-fastcgi-get": [Asked("GET", "/x?a=1")],
    "cgifcgi-fastcgi-post": [Asked("POST", "/x", b"hello")],
    **{
        f"apache-fastcgi-{variant}-get": [Asked("GET", "/sub/a%20b?x=1")]
        for variant in ("fca", "fpf", "fpi", "fpu", "fse")
    },
}


def asked_in(capture: Capture) -> list[Asked]:
    return SPECIAL.get(capture.name) or [ASKED[capture.case]] if capture.data else []


def hear_all(capture: Capture, size: int = SIZES[-1]) -> list[Heard]:
    return hear(open_conversation("fastcgi"), cut(capture.data, size))


@every_capture
def test_means_the_same_in_any_cutting(capture: Capture) -> None:
    first, *others = (hear_all(capture, size) for size in SIZES)
    assert all(other == first for other in others)


@every_capture
def test_is_what_the_clients_asked(capture: Capture) -> None:
    for asked, heard in zip(asked_in(capture), hear_all(capture), strict=True):
        target, _, query = asked.target.partition("?")
        variables = heard.variables
        assert variables["REQUEST_METHOD"] == asked.method
        assert variables["QUERY_STRING"] == query
        raw_path = variables["REQUEST_URI"].partition("?")[0]
        assert raw_path.endswith(target)
        assert_path(capture, variables, raw_path)
        is_whole = "abort-mid" not in capture.case
        assert asked.body.startswith(heard.body)
        assert heard.is_whole == (heard.body == asked.body) == is_whole
        role = "AUTHORIZER" if capture.variant == "auth" else "RESPONDER"
        assert variables["FCGI_ROLE"] == role


def assert_path(capture: Capture, variables: dict[str, str], raw_path: str) -> None:
    """As the two ways to resolve the dots have it, or where they are left alone."""
    path = variables["SCRIPT_NAME"] + variables["PATH_INFO"]
    resolved = (
        decode_percent(resolve_dots(raw_path)),
        resolve_dots(decode_percent(raw_path)),
    )
    if capture.server == "caddy":  # it takes a prefix away, and tells nobody
        resolved += (decode_percent(raw_path),)
        assert any(each.endswith(path) for each in resolved)
    elif capture.server == "haproxy" or capture.variant == "auth":
        assert path == decode_percent(raw_path)
    else:
        assert path in resolved


@every_capture
def test_its_variables_are_those_that_an_application_relies_on(
    capture: Capture,
) -> None:
    for heard in hear_all(capture):
        variables = heard.variables
        assert variables["SERVER_NAME"] and variables["SERVER_PORT"].isdecimal()
        assert variables.get("CONTENT_LENGTH", "0").isdecimal()
        assert variables["RAW_URI"] == variables["REQUEST_URI"]
        assert variables.get("CONTENT_TYPE") != ""
        dropped = {"HTTPS", "HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"}
        assert dropped.isdisjoint(variables)


@pytest.mark.parametrize("capture", [c for c in CAPTURES if c.case == "oddheaders"])
def test_header_fields_that_came_twice_are_one(capture: Capture) -> None:
    (heard,) = hear_all(capture)
    assert heard.variables["HTTP_X_DUP"].replace(" ", "") == "one,two"
    assert heard.variables["HTTP_COOKIE"].replace(",", ";") == "a=1; b=2"
    assert heard.variables["HTTP_X_LATIN"] == "caf\xe9"


@pytest.mark.parametrize("capture", [c for c in CAPTURES if c.case == "manyheaders"])
def test_many_fields_are_all_there(capture: Capture) -> None:
    (heard,) = hear_all(capture)
    many = [name for name in heard.variables if name.startswith("HTTP_X_MANY_")]
    assert len(many) == 60


def test_haproxy_is_told_what_it_asks_first() -> None:
    (capture,) = (c for c in CAPTURES if c.name == "haproxy-fastcgi-fk-two")
    conversation = open_conversation("fastcgi")
    assert conversation.feed(capture.data)
    assert HEADER.unpack_from(conversation.replies)[1] == GET_VALUES_RESULT
    assert b"FCGI_MAX_REQS1" in conversation.replies
    assert b"FCGI_MPXS_CONNS0" in conversation.replies


def test_what_is_another_protocol_is_refused() -> None:
    (capture,) = (c for c in captures_of("fastcgi") if c.name == MISTAKEN)
    for size in SIZES:
        with pytest.raises(ProtocolError, match="not FastCGI 1"):
            hear_all(capture, size)
