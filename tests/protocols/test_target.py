"""SCRIPT_NAME, PATH_INFO and REQUEST_URI, from what each front end makes of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.protocols.path import decode_percent, encode_path, resolve_dots
from prefork.protocols.target import complete_target

APACHE = {"SCRIPT_FILENAME": "proxy:fcgi://app/"}
LIGHTTPD = {"SERVER_SOFTWARE": "lighttpd/1.4.69"}
ODD = "/app/sub/a%20b//x%2Fy/../z"


def target(prefix: str = "", /, **variables: str) -> dict[str, str]:
    """All that is said of it in the end; `uri` stands for REQUEST_URI."""
    if "uri" in variables:
        variables["REQUEST_URI"] = variables.pop("uri")
    complete_target(variables, prefix)
    return variables


def split(prefix: str = "", /, **variables: str) -> tuple[str, str]:
    variables = target(prefix, **variables)
    return variables["SCRIPT_NAME"], variables["PATH_INFO"]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        pytest.param(
            {"uri": "/app/x", "SCRIPT_NAME": "/app", "PATH_INFO": "/x"},
            ("/app", "/x"),
            id="as RFC 3875 has it",
        ),
        pytest.param(
            {"uri": "/app", "SCRIPT_NAME": "/app", "PATH_INFO": ""},
            ("/app", ""),
            id="as RFC 3875 has it, without a rest",
        ),
        pytest.param(
            {"uri": "/app/app", "SCRIPT_NAME": "/app", "PATH_INFO": "/app"},
            ("/app", "/app"),
            id="as RFC 3875 has it, the rest like the name",
        ),
        pytest.param(
            {"uri": "/x/y?z", "SCRIPT_NAME": "/x/y"},
            ("", "/x/y"),
            id="nginx, stock fastcgi_params",
        ),
        pytest.param(
            {"uri": "/x%20/y?z", "DOCUMENT_URI": "/x /y"},
            ("", "/x /y"),
            id="nginx, stock scgi_params",
        ),
        pytest.param(
            {"uri": "/x%20/y?z"}, ("", "/x /y"), id="whoever says only the URI"
        ),
        pytest.param(
            {"uri": "/x/y?z", "PATH_INFO": "/x/y"},
            ("", "/x/y"),
            id="nginx, stock uwsgi_params",
        ),
        pytest.param(
            {"uri": "/app/x", "SCRIPT_NAME": "/app", "PATH_INFO": "/app/x"},
            ("/app", "/x"),
            id="nginx, SCRIPT_NAME beside PATH_INFO of $document_uri",
        ),
        pytest.param(
            {"uri": ODD, "SCRIPT_NAME": "/app", "PATH_INFO": "/app/sub/a b/x/z"},
            ("/app", "/sub/a b/x/z"),
            id="nginx, the same with an odd path",
        ),
        pytest.param(
            {"uri": "/a/b", "SCRIPT_NAME": "/a/b", "PATH_INFO": "/a/b"},
            ("", "/a/b"),
            id="nginx, both are $fastcgi_script_name",
        ),
        pytest.param(
            {"uri": "/", "SCRIPT_NAME": "/", "PATH_INFO": "/"},
            ("", "/"),
            id="nginx, both are $fastcgi_script_name, at the root",
        ),
        pytest.param(
            {"uri": "/app/x", "SCRIPT_NAME": "/app/", "PATH_INFO": "x"},
            ("/app", "/x"),
            id="nginx, split behind the slash",
        ),
        pytest.param(
            {"uri": "/app/", "SCRIPT_NAME": "/app/", "PATH_INFO": ""},
            ("/app", "/"),
            id="nginx, split behind the slash, without a rest",
        ),
        pytest.param(
            {"uri": "/app/sub/a%20b", "SCRIPT_NAME": "/app/sub/a b"} | APACHE,
            ("", "/app/sub/a b"),
            id="Apache, as it is",
        ),
        pytest.param(
            {
                "uri": "/app/sub/a%20b?x",
                "SCRIPT_NAME": "/app/sub/a b",
                "PATH_INFO": "/sub/a%20b",
            }
            | APACHE,
            ("/app", "/sub/a b"),
            id="Apache, proxy-fcgi-pathinfo=1 or proxy-scgi-pathinfo=1",
        ),
        pytest.param(
            {
                "uri": ODD,
                "SCRIPT_NAME": "/app/sub/a b/z",
                "PATH_INFO": "/sub/a%20b/z",
            }
            | APACHE,
            ("/app", "/sub/a b/z"),
            id="Apache, the same with an odd path",
        ),
        pytest.param(
            {"uri": "/app/a%20b", "SCRIPT_NAME": "/app", "PATH_INFO": "/a b"} | APACHE,
            ("/app", "/a b"),
            id="Apache, proxy-fcgi-pathinfo=unescape, or uwsgi",
        ),
        pytest.param(
            {"uri": "/app/a%20b", "SCRIPT_NAME": "/app", "PATH_INFO": "/a%20b"}
            | APACHE,
            ("/app", "/a b"),
            id="Apache, ProxyFCGISetEnvIf",
        ),
        pytest.param(
            {"uri": "/app/a%2520b", "SCRIPT_NAME": "/app", "PATH_INFO": "/a%20b"}
            | APACHE,
            ("/app", "/a%20b"),
            id="Apache, a percent sign that was meant",
        ),
        pytest.param(
            {"uri": "/app", "SCRIPT_NAME": "/app"} | LIGHTTPD,
            ("/app", ""),
            id="lighttpd, without a rest",
        ),
        pytest.param(
            {"uri": "/app/", "SCRIPT_NAME": "/app/"} | LIGHTTPD,
            ("/app", "/"),
            id="lighttpd, a key that ends in a slash",
        ),
        pytest.param(
            {"uri": "/", "SCRIPT_NAME": "/"} | LIGHTTPD,
            ("", "/"),
            id="lighttpd, the key is a slash",
        ),
        pytest.param(
            {"uri": "/app/x", "SCRIPT_NAME": "/app/x"},
            ("", "/app/x"),
            id="HAProxy without path-info",
        ),
        pytest.param(
            {"uri": ODD, "SCRIPT_NAME": "/app", "PATH_INFO": "/sub/a b//x/y/../z"},
            ("/app", "/sub/a b//x/y/../z"),
            id="HAProxy, which decodes and does not resolve",
        ),
        pytest.param(
            {"uri": "/app/x", "SCRIPT_NAME": "", "PATH_INFO": "/x"},
            ("", "/x"),
            id="Caddy, handle_path",
        ),
        pytest.param(
            {"uri": "/other", "SCRIPT_NAME": "/app", "PATH_INFO": "/app/x"},
            ("/app", "/app/x"),
            id="whoever has rewritten the URL",
        ),
        pytest.param({"uri": "*"}, ("", "*"), id="OPTIONS *"),
        pytest.param({}, ("", ""), id="nothing at all"),
    ],
)
def test_where_the_application_begins(
    said: dict[str, str], meant: tuple[str, str]
) -> None:
    assert split(**said) == meant


@given(
    st.lists(st.sampled_from(["a", "b c", "..", ".", "", "%", "\xe9"]), max_size=6),
    st.sampled_from(["", "/app", "/a", "/a/b c"]),
)
def test_what_adds_up_is_believed(parts: list[str], name: str) -> None:
    """No front end that is right is corrected, whatever its clients ask for."""
    path = "".join(f"/{part}" for part in parts)
    said = {"SCRIPT_NAME": name, "PATH_INFO": path, "uri": encode_path(name + path)}
    assert split(**said) == (name, path)
    if name and "".join(parts):
        resolved = resolve_dots(decode_percent(said["uri"]))
        if resolved.startswith(name + "/"):
            rest = resolved.removeprefix(name)
            assert split(**said | {"PATH_INFO": rest}) == (name, rest)


# ---- --script-name


@pytest.mark.parametrize(
    ("said", "path"),
    [
        ({"uri": "/app/x", "SCRIPT_NAME": "/app", "PATH_INFO": "/x"}, "/x"),
        ({"uri": "/app/x", "SCRIPT_NAME": "/app/x"}, "/x"),
        ({"uri": "/app/x", "PATH_INFO": "/x"}, "/x"),
        ({"uri": "/app/x/y", "SCRIPT_NAME": "/app/x", "PATH_INFO": "/y"}, "/x/y"),
        ({"uri": "/app", "SCRIPT_NAME": "/app"}, ""),
        ({"uri": "/apple", "SCRIPT_NAME": "/apple"}, "/apple"),
    ],
)
def test_the_prefix_of_the_operator_is_the_script_name(
    said: dict[str, str], path: str
) -> None:
    assert split("/app", **said) == ("/app", path)


# ---- REQUEST_URI and QUERY_STRING


def test_the_uri_is_made_up_where_it_is_not_said() -> None:
    variables = target(SCRIPT_NAME="/a", PATH_INFO="/b c", QUERY_STRING="d=e")
    assert variables["REQUEST_URI"] == "/a/b%20c?d=e"
    assert variables["RAW_URI"] == "/a/b%20c?d=e"
    assert target(SCRIPT_NAME="", PATH_INFO="/?#")["REQUEST_URI"] == "/%3F%23"


def test_the_query_is_read_from_the_uri_where_it_is_not_said() -> None:
    """HAProxy leaves it out when there is none."""
    assert target(uri="/a")["QUERY_STRING"] == ""
    assert target(uri="/a?b=c?d")["QUERY_STRING"] == "b=c?d"
    assert target(uri="/a?b", QUERY_STRING="rewritten")["QUERY_STRING"] == "rewritten"
