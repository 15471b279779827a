"""Every atom of an access log format, to the letter."""

import time
from base64 import b64encode
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ConfigError
from prefork.monitor.atoms import ATOMS, LONGEST_LINE, Entry, compile_format
from prefork.monitor.times import format_common_log


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC0")
    time.tzset()
    format_common_log.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()


VARIABLES = {
    "REMOTE_ADDR": "192.0.2.7",
    "REQUEST_METHOD": "GET",
    "REQUEST_URI": "/app/a%20b?x=1",
    "SCRIPT_NAME": "/app",
    "PATH_INFO": "/a b",
    "QUERY_STRING": "x=1",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "CONTENT_TYPE": "text/plain",
    "HTTP_REFERER": "https://example.org/",
    "HTTP_USER_AGENT": "curl/8.5.0",
    "HTTP_X_REQUEST_ID": "7f",
}


def make_entry(*, note: str = "", request_line: str = "", **changes: str) -> Entry:
    return Entry(
        variables=VARIABLES | changes,
        request_line=request_line,
        status=200,
        headers=[("Content-Type", "text/html"), ("Vary", "a"), ("vary", "b")],
        sent=512,
        seconds=1.234567,
        started=1795342623.9,
        pid=812,
        note=note,
    )


def make_empty_entry(*, request_line: str = "") -> Entry:
    return Entry(
        variables={},
        request_line=request_line,
        status=400,
        headers=[],
        sent=0,
        seconds=0.0000123,
        started=1795342623.0,
        pid=812,
    )


MEANINGS = {  # atom: (of a usual request, of one about which nothing is known)
    "h": ("192.0.2.7", "-"),
    "l": ("-", "-"),
    "u": ("-", "-"),
    "t": ("[22/Nov/2026:10:17:03 +0000]", "[22/Nov/2026:10:17:03 +0000]"),
    "r": ("GET /app/a%20b?x=1 HTTP/1.1", "-"),
    "m": ("GET", "-"),
    "U": ("/app/a b", "-"),
    "q": ("x=1", "-"),
    "H": ("HTTP/1.1", "-"),
    "s": ("200", "400"),
    "B": ("512", "0"),
    "b": ("512", "-"),
    "f": ("https://example.org/", "-"),
    "a": ("curl/8.5.0", "-"),
    "T": ("1", "0"),
    "M": ("1234", "0"),
    "D": ("1234567", "12"),
    "L": ("1.234567", "0.000012"),
    "p": ("<812>", "<812>"),
    "{X-Request-ID}i": ("7f", "-"),
    "{content-type}i": ("text/plain", "-"),
    "{Content-Type}o": ("text/html", "-"),
    "{vary}o": ("a, b", "-"),
    "{SCRIPT_NAME}e": ("/app", "-"),
    "{prefork.note}e": ("-", "-"),
}


@pytest.mark.parametrize("atom", MEANINGS)
def test_says_what_it_means(atom: str) -> None:
    format_line = compile_format(f"<%({atom})s>")
    known, unknown = MEANINGS[atom]
    assert format_line(make_entry()) == f"<{known}>"
    assert format_line(make_empty_entry()) == f"<{unknown}>"


def test_every_atom_is_in_the_table() -> None:
    assert set(ATOMS) <= set(MEANINGS)


def test_the_text_between_atoms_stays() -> None:
    assert compile_format("100%% %(s)s é {}")(make_entry()) == "100% 200 é {}"
    assert compile_format("%(s)d")(make_entry()) == "200", "as gunicorn allows"
    assert compile_format("")(make_entry()) == ""


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("%(Z)s", r"%\(Z\)s"),
        ("%(h)s %({x}q)s", r"%\({x}q\)s"),
        ("%({}i)s", r"%\({}i\)s"),
        ("%()s", r"%\(\)s"),
        ("%h %l", "'%h %l'"),
        ("%(h)", r"'%\(h\)'"),
        ("%(h", r"'%\(h'"),
        ("100%", "'%'"),
    ],
)
def test_refuses_what_is_no_atom_and_names_it(text: str, named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        compile_format(text)


def test_the_note_says_why() -> None:
    assert compile_format("%({prefork.note}e)s")(make_entry(note="too slow")) == (
        "too slow"
    )


def basic(credentials: bytes) -> str:
    return "Basic " + b64encode(credentials).decode()


@pytest.mark.parametrize(
    ("variables", "user"),
    [
        ({"REMOTE_USER": "ann"}, "ann"),
        ({"HTTP_AUTHORIZATION": basic(b"ann:secret:x")}, "ann"),
        ({"HTTP_AUTHORIZATION": basic(b"ann:x").replace("Basic", "basic")}, "ann"),
        ({"HTTP_AUTHORIZATION": basic(b"ann")}, "ann"),
        ({"HTTP_AUTHORIZATION": basic(b":x")}, "-"),
        ({"HTTP_AUTHORIZATION": basic(b'a [1] "\n:x')}, 'a\\x20[1]\\x20\\"\\x0a'),
        ({"HTTP_AUTHORIZATION": "Basic"}, "-"),
        ({"HTTP_AUTHORIZATION": "Basic \xff"}, "-"),
        ({"HTTP_AUTHORIZATION": "Basic abcde"}, "-"),
        ({"HTTP_AUTHORIZATION": "Bearer YW5uOng="}, "-"),
    ],
)
def test_finds_the_user(variables: dict[str, str], user: str) -> None:
    assert compile_format("%(u)s")(make_entry(**variables)) == user


def test_a_refused_request_shows_the_line_that_arrived() -> None:
    entry = make_empty_entry(request_line='GET /\r\n" \x1b HTTP/1.1')
    assert compile_format("%(r)s")(entry) == 'GET /\\x0d\\x0a\\" \\x1b HTTP/1.1'


def test_a_target_is_put_together_when_the_front_end_sent_none() -> None:
    entry = make_entry(REQUEST_URI="")
    assert compile_format("%(r)s")(entry) == "GET /app/a b?x=1 HTTP/1.1"
    entry = make_entry(REQUEST_URI="", QUERY_STRING="")
    assert compile_format("%(r)s")(entry) == "GET /app/a b HTTP/1.1"


def test_long_values_are_cut_and_the_rest_of_the_line_stays() -> None:
    entry = make_entry(HTTP_USER_AGENT="x" * 9000)
    line = compile_format('"%(a)s" %(s)s')(entry)
    assert line == '"' + "x" * 2048 + '..." 200'


def test_no_line_is_longer_than_the_longest() -> None:
    entry = make_entry(HTTP_USER_AGENT="\n" * 9000)
    assert len(compile_format("%(a)s" * 9)(entry)) == LONGEST_LINE + len("...")


wild = st.text(st.characters(max_codepoint=255))


@given(wild, wild, wild)
@settings(max_examples=100, deadline=None)
def test_no_client_can_forge_a_line_or_leave_its_quotes(
    uri: str, agent: str, credentials: str
) -> None:
    entry = make_entry(
        REQUEST_URI=uri,
        HTTP_USER_AGENT=agent,
        HTTP_AUTHORIZATION=basic(credentials.encode("latin-1")),
    )
    line = compile_format('%(u)s "%(r)s" %(s)s "%(a)s"')(entry)
    assert line.isprintable()
    bare = line.replace("\\\\", "").replace('\\"', "")
    assert bare.count('"') == 4
    assert bare.split('"')[2] == " 200 "
    assert " " not in bare.split(' "')[0]
