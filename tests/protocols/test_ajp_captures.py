"""What Apache and lighttpd sent over AJP13 is understood, however it is cut."""

import pytest
from serving.captures import ASKED, Asked, Capture, captures_of
from serving.feeding import SIZES, Heard, cut, hear, open_conversation

CAPTURES = captures_of("ajp13")
ASKING = [capture for capture in CAPTURES if capture.data]
OTHERS = {
    "odd-method": Asked("FROBNICATE", "/p"),
    "patch-method": Asked("PATCH", "/p", b"abc"),
}
ODD = "/sub/path with/inf\xc3\xb6/"
# Where the path is another than `target`: Apache leaves out what it is mounted at,
# lighttpd does not, and leaves out what follows instead, unless the key is "".
PATHS = {
    "apache-ajp13-get": ODD + "z",
    "apache-ajp13-tcp-get": ODD + "z",
    "apache-ajp13-secret-tcp-get": ODD + "z",
    "lighttpd-ajp13-get": "/au/sub",
    "lighttpd-ajp13-tcp-get": "/at/sub",
    "lighttpd-ajp13-prefix-get": "/ap",
    "lighttpd-ajp13-any-get": "/aq" + ODD + "x/z",
}

each_request = pytest.mark.parametrize(
    "capture", ASKING, ids=[capture.name for capture in ASKING]
)


def hear_all(capture: Capture, size: int) -> list[Heard]:
    return hear(open_conversation("ajp"), cut(capture.data, size))


def understood(capture: Capture) -> Heard:
    (heard,) = hear_all(capture, SIZES[-1])
    return heard


def asked_by(capture: Capture) -> Asked:
    return ASKED.get(capture.case) or OTHERS[capture.variant]


def path_of(capture: Capture) -> str:
    if capture.name in PATHS:
        return PATHS[capture.name]
    path = asked_by(capture).target.partition("?")[0]
    mount = "/at" if capture.is_tcp else "/au"
    return path if capture.server == "apache" else mount + path


def test_there_are_captures_of_both() -> None:
    assert {capture.server for capture in ASKING} == {"apache", "lighttpd"}


@pytest.mark.parametrize(
    "capture", CAPTURES, ids=[capture.name for capture in CAPTURES]
)
def test_means_the_same_in_any_cutting(capture: Capture) -> None:
    first, *others = (hear_all(capture, size) for size in SIZES)
    assert all(other == first for other in others)
    assert len(first) == bool(capture.data)


@each_request
def test_is_the_request_of_the_client(capture: Capture) -> None:
    asked, heard = asked_by(capture), understood(capture)
    variables = heard.variables
    assert variables["REQUEST_METHOD"] == asked.method
    assert variables["PATH_INFO"] == path_of(capture)
    assert variables["QUERY_STRING"] == asked.target.partition("?")[2]
    assert asked.body.startswith(heard.body)
    assert heard.is_whole == (heard.body == asked.body)
    assert heard.is_whole == (capture.case != "client-abort-midbody")
    chunked = capture.server == "apache" and capture.case.startswith("chunked")
    if asked.body and not chunked:
        assert variables["CONTENT_LENGTH"] == str(len(asked.body))


@each_request
def test_its_variables_are_those_that_an_application_relies_on(
    capture: Capture,
) -> None:
    variables = understood(capture).variables
    assert variables["REMOTE_ADDR"] == "127.0.0.1"
    # lighttpd does not say it, and that of its own connection is not the client's.
    assert ("REMOTE_PORT" in variables) == (capture.server == "apache")
    assert variables["SERVER_NAME"] == "localhost"
    assert variables["SERVER_PORT"] in ("8102", "8103")
    assert variables["SERVER_PROTOCOL"] in ("HTTP/1.0", "HTTP/1.1")
    assert variables["HTTP_HOST"] in ("localhost", "localhost:8100")
    assert variables["SCRIPT_NAME"] == ""
    assert variables["RAW_URI"] == variables["REQUEST_URI"]
    dropped = {"HTTPS", "HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_TRANSFER_ENCODING"}
    assert dropped.isdisjoint(variables)


@pytest.mark.parametrize("capture", [c for c in ASKING if c.case == "oddheaders"])
def test_odd_headers_are_as_they_should_be(capture: Capture) -> None:
    """Proxy, X_Under_Score, X-Dup twice, two cookies, latin-1, a tab."""
    variables = understood(capture).variables
    separator = ", " if capture.server == "apache" else "; "
    assert variables["HTTP_COOKIE"] == separator.join(["a=1", "b=2"])
    assert variables["HTTP_X_DUP"] == "one, two"
    assert variables["HTTP_X_LATIN"] == "caf\xe9"
    assert variables["HTTP_AUTHORIZATION"] == "Basic dTpw"
    assert not {"HTTP_PROXY", "HTTP_X_UNDER_SCORE"} & variables.keys()


@pytest.mark.parametrize("capture", [c for c in ASKING if c.case == "manyheaders"])
def test_many_fields_are_all_there(capture: Capture) -> None:
    variables = understood(capture).variables
    assert len([name for name in variables if name.startswith("HTTP_X_MANY_")]) == 60
