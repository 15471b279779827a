"""prefork.gateways.cgi_variables: what a program is told, and what it is not."""

import pytest

from prefork.gateways.cgi_site import Target
from prefork.gateways.cgi_variables import complete, find_arguments, make_environment

TARGET = Target("/srv/a.cgi", "/cgi/a.cgi", "", "/srv")
REQUEST = {"REQUEST_METHOD": "GET", "QUERY_STRING": "", "PATH_INFO": "/a.cgi"}


def test_a_program_without_more_path_has_no_path_info() -> None:
    """RFC 3875 4.1.5, 4.1.6."""
    known = complete(REQUEST, TARGET, length="")
    assert not known.keys() & {"PATH_INFO", "PATH_TRANSLATED", "CONTENT_LENGTH"}
    assert known["SCRIPT_NAME"] == "/cgi/a.cgi"
    more = Target("/srv/a.cgi", "/cgi/a.cgi", "/x", "/srv")
    known = complete(REQUEST, more, length="7")
    assert (known["PATH_INFO"], known["PATH_TRANSLATED"]) == ("/x", "/srv/x")
    assert known["CONTENT_LENGTH"] == "7"


def test_a_password_that_was_checked_is_not_told() -> None:
    """RFC 3875 4.1.18."""
    request = {**REQUEST, "HTTP_AUTHORIZATION": "Basic eDp5"}
    assert "HTTP_AUTHORIZATION" in complete(request, TARGET, length="")
    request["AUTH_TYPE"] = "Basic"
    assert "HTTP_AUTHORIZATION" not in complete(request, TARGET, length="")


@pytest.mark.parametrize(
    "name",
    [
        *("LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH", "PERL5LIB", "RUBYOPT"),
        *("BASH_ENV", "ENV", "IFS", "PATH", "HOME", "HTTP_PROXY", "http_proxy"),
        *("GCONV_PATH", "NODE_OPTIONS", "GIT_SSH_COMMAND", "PHPRC", "RAW_URI"),
        *("CLASSPATH", "OPENSSL_CONF", "SSLKEYLOGFILE", "GIT_TRACE", "GIT_PAGER"),
        *("BASH_FUNC_x%%", "1X", "A-B", "A B", ""),
    ],
)
def test_a_request_does_not_set_what_programs_obey(name: str) -> None:
    assert make_environment({name: "x"}, {}) == make_environment({}, {})


def test_the_operator_does() -> None:
    known = make_environment({"HTTP_A": "\xe9"}, {"PATH": "/x", "HOME": "/\udce9"})
    assert known == {b"HTTP_A": b"\xe9", b"PATH": b"/x", b"HOME": b"/\xe9"}


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", []),
        ("is+index%20w", ["is", "index w"]),
        ("a%3Db", ["a=b"]),
        ("a=b", []),
        ("-s", []),
        ("a+-d", []),
        ("%2Ds", []),
        ("a++b", []),
        ("a+%00", []),
    ],
)
def test_search_words_are_arguments_unless_they_would_be_options(
    query: str, words: list[str]
) -> None:
    """RFC 3875 4.4; CVE-2012-1823."""
    assert find_arguments({**REQUEST, "QUERY_STRING": query}) == words
    posted = {**REQUEST, "REQUEST_METHOD": "POST", "QUERY_STRING": query}
    assert find_arguments(posted) == []
