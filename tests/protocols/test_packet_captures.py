"""What real web servers sent is understood, however it is cut."""

import pytest
from serving.captures import ASKED, Asked, Capture, captures_of
from serving.feeding import SIZES, Heard, cut, hear, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.path import decode_percent, resolve_dots

CAPTURES = captures_of("scgi", "uwsgi")
every_capture = pytest.mark.parametrize(
    "capture", CAPTURES, ids=[capture.name for capture in CAPTURES]
)
# Where the application is mounted; "": where the server does not say it.
MOUNTS = {
    "nginx-scgi": ("/su", "/st"),
    "nginx-scgi-nobuf": ("",),
    "nginx-uwsgi": ("",),
    "nginx-uwsgi-nobuf": ("",),
    "apache-scgi": ("",),
    "apache-scgi-spi": ("/spi",),
    "apache-uwsgi": ("/uu", "/ut"),
    "lighttpd-scgi-prefix": ("/sp",),
    "lighttpd-uwsgi-prefix": ("/up",),
}


def hear_one(capture: Capture, size: int = SIZES[-1]) -> Heard | None:
    """The request of a capture; None if it has none."""
    conversation = open_conversation(capture.protocol)
    heard = hear(conversation, cut(capture.data, size))
    assert len(heard) <= 1
    return heard[0] if heard else None


def understood(capture: Capture) -> Heard:
    heard = hear_one(capture)
    assert heard
    return heard


@every_capture
def test_means_the_same_in_any_cutting(capture: Capture) -> None:
    if capture.variant == "modifier":
        for size in SIZES:
            with pytest.raises(ProtocolError, match="modifier1 is 9"):
                hear_one(capture, size)
        return
    first, *others = (hear_one(capture, size) for size in SIZES)
    assert all(other == first for other in others)
    assert (first is None) == (not capture.data)


ASKING = [
    capture for capture in CAPTURES if capture.data and capture.variant != "modifier"
]
each_request = pytest.mark.parametrize(
    "capture", ASKING, ids=[capture.name for capture in ASKING]
)


@each_request
def test_is_the_request_of_the_client(capture: Capture) -> None:
    asked, heard = ASKED[capture.case], understood(capture)
    if capture.variant == "spi":
        asked = Asked("GET", "/sub/a%20b?x=1")
    target, _, query = asked.target.partition("?")
    variables = heard.variables
    assert variables["REQUEST_METHOD"] == asked.method
    assert variables["QUERY_STRING"] == query
    raw_path = variables["REQUEST_URI"].partition("?")[0]
    assert raw_path.endswith(target)
    # As the two ways to resolve the dots have it.
    path = variables["SCRIPT_NAME"] + variables["PATH_INFO"]
    assert path in (
        decode_percent(resolve_dots(raw_path)),
        resolve_dots(decode_percent(raw_path)),
    )
    assert asked.body.startswith(heard.body)
    is_short = (
        "abort-mid" in capture.case or capture.name == "nginx-scgi-nobuf-body-slow"
    )
    assert heard.is_whole == (heard.body == asked.body) == (not is_short)
    if asked.body:
        assert variables["CONTENT_LENGTH"] == str(len(asked.body))


@each_request
def test_belongs_to_where_the_application_is_mounted(capture: Capture) -> None:
    words = [capture.server, capture.protocol, capture.variant]
    name = understood(capture).variables["SCRIPT_NAME"]
    if words[0] == "lighttpd" and not capture.variant:
        # Its key ends in "/": then it takes the next part of the path as well.
        assert name.count("/") == 2
    else:
        assert name in MOUNTS["-".join(filter(None, words))]


@each_request
def test_its_variables_are_those_that_an_application_relies_on(
    capture: Capture,
) -> None:
    variables = understood(capture).variables
    assert variables["REMOTE_ADDR"] == "127.0.0.1"
    assert variables["REMOTE_PORT"].isdecimal()
    assert variables["SERVER_NAME"] == "localhost"
    assert variables["SERVER_PORT"] in ("8100", "8101", "8103")
    assert variables["SERVER_PROTOCOL"] in ("HTTP/1.0", "HTTP/1.1")
    assert variables["HTTP_HOST"] in ("localhost", "localhost:8100")
    assert variables["RAW_URI"] == variables["REQUEST_URI"]
    assert variables.get("CONTENT_TYPE") != ""
    dropped = {"HTTPS", "HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"}
    assert dropped.isdisjoint(variables)
    assert all(type(value) is str for value in variables.values())


@pytest.mark.parametrize("capture", [c for c in ASKING if c.case == "oddheaders"])
def test_header_fields_that_came_twice_are_one(capture: Capture) -> None:
    variables = understood(capture).variables
    joined = {"nginx": "one,two", "apache": "one, two", "lighttpd": "one, two"}
    assert variables["HTTP_X_DUP"] == joined[capture.server]
    # Apache joins cookies with a comma; two of them cannot be told from one, then.
    cookies = "a=1, b=2" if capture.server == "apache" else "a=1; b=2"
    assert variables["HTTP_COOKIE"] == cookies
    assert variables["HTTP_X_LATIN"] == "caf\xe9"
    assert variables.get("HTTP_X_EMPTY", "") == ""


@pytest.mark.parametrize("capture", [c for c in ASKING if c.case == "manyheaders"])
def test_many_fields_are_all_there(capture: Capture) -> None:
    variables = understood(capture).variables
    many = [name for name in variables if name.startswith("HTTP_X_MANY_")]
    assert len(many) == 60
