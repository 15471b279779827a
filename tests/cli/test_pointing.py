"""What `prefork request` and `prefork inspect` can be pointed at."""

from pathlib import Path

import pytest

from prefork.cli.pointing import Place, parse_end, parse_place, parse_target
from prefork.system.address import Address, AddressKind

PLACES = [
    ("http://localhost:8000/a?b", "http", "localhost:8000", "/a?b"),
    ("http://localhost", "http", "localhost:80", ""),
    ("http://[::1]/x", "http", "[::1]:80", "/x"),
    ("localhost:8000/a/b", "http", "localhost:8000", "/a/b"),
    ("127.0.0.1", "http", "127.0.0.1:80", ""),
    ("8000", "http", "127.0.0.1:8000", ""),
    (":8000/x", "http", "127.0.0.1:8000", "/x"),
    ("fastcgi://127.0.0.1:9000/x", "fastcgi", "127.0.0.1:9000", "/x"),
    ("AJP://backend", "ajp", "backend:8009", ""),
    ("scgi+unix:/run/a.sock", "scgi", "unix:/run/a.sock", ""),
    ("uwsgi+unix:@name", "uwsgi", "unix:@name", ""),
    ("unix:a.sock", "http", "unix:a.sock", ""),
]


@pytest.mark.parametrize(("text", "protocol", "place", "target"), PLACES)
def test_understands_every_form(
    text: str, protocol: str, place: str, target: str
) -> None:
    found, rest = parse_place(text, None)
    assert found.address is not None
    assert (found.protocol, found.address.place, rest) == (protocol, place, target)
    assert found.address.protocol == protocol


def test_the_protocol_may_be_said_elsewhere() -> None:
    place, _ = parse_place("unix:/run/a.sock", "fastcgi")
    assert place.protocol == "fastcgi"
    assert parse_place("fastcgi+unix:/run/a.sock", "fastcgi")[0] == place


@pytest.mark.parametrize(("text", "protocol"), [("cgi:a/b", None), ("a/b", "cgi")])
def test_a_program_is_a_place_too(
    text: str, protocol: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    place, target = parse_place(text, protocol)
    assert place == Place("cgi", None, tmp_path / "a/b")
    assert (place.text, target) == (f"cgi:{tmp_path}/a/b", "")


@pytest.mark.parametrize(
    ("text", "protocol", "reason"),
    [
        ("https://example.com/", None, "https is not spoken here"),
        ("gopher://example.com/", None, "unknown protocol 'gopher'"),
        ("scgi://localhost:4000", "uwsgi", "it is both scgi and uwsgi"),
        ("scgi://localhost", None, "'localhost' is not a port"),
        ("http://", None, "it is empty"),
        ("unix:", None, "the path is missing"),
        ("http://user@host/", None, "'user@host' is not a host name"),
        ("fd://3", None, "unknown protocol 'fd'"),
    ],
)
def test_says_what_is_wrong(text: str, protocol: str | None, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_place(text, protocol)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("http://Example.com/", "example.com"),
        ("http://example.com:8000/", "example.com:8000"),
        ("http://[::1]:80/", "[::1]"),
        ("unix:a.sock", "localhost"),
        ("fastcgi://127.0.0.1:9000", "localhost"),
        ("cgi:program", "localhost"),
    ],
)
def test_only_the_host_of_a_url_of_http_is_one(text: str, host: str) -> None:
    assert parse_place(text, None)[0].host == host


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("/a?b=c%20d", "/a?b=c%20d"),
        ("/a b", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/\udcff", "/%FF"),
        ("*", "*"),
    ],
)
def test_a_target_becomes_one_that_can_be_sent(text: str, target: str) -> None:
    assert parse_target(text) == target


def test_a_target_begins_with_a_slash() -> None:
    with pytest.raises(ValueError, match="'a' does not begin with a slash"):
        parse_target("a")


@pytest.mark.parametrize(
    ("text", "protocol", "address"),
    [
        ("unix:a", "", Address(AddressKind.UNIX, path="a")),
        ("scgi://:4000", "scgi", Address(AddressKind.TCP, host="0.0.0.0", port=4000)),
        ("auto+unix:a", "auto", Address(AddressKind.UNIX, path="a")),
    ],
)
def test_an_end_to_look_at_may_name_no_protocol(
    text: str, protocol: str, address: Address
) -> None:
    assert parse_end(text) == (protocol, address)


def test_an_end_that_is_none_is_said_to_be() -> None:
    with pytest.raises(ValueError, match="'nowhere': 'nowhere' is not a port"):
        parse_end("nowhere")
