"""prefork.system.address: what one --bind means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ConfigError
from prefork.system.address import Address, AddressKind, parse_bind, same

FAMILY = frozenset({"http", "fastcgi", "scgi", "uwsgi"})

MEANINGS = [
    ("127.0.0.1:8000", Address(AddressKind.TCP, host="127.0.0.1", port=8000)),
    ("http://127.0.0.1:8000", Address(AddressKind.TCP, host="127.0.0.1", port=8000)),
    ("LocalHost:80", Address(AddressKind.TCP, host="localhost", port=80)),
    (":8000", Address(AddressKind.TCP, host="0.0.0.0", port=8000)),
    ("a.example.org.:80", Address(AddressKind.TCP, host="a.example.org.", port=80)),
    ("x" * 63 + ":80", Address(AddressKind.TCP, host="x" * 63, port=80)),
    ("8000", Address(AddressKind.TCP, host="0.0.0.0", port=8000)),
    ("127.0.0.1:0", Address(AddressKind.TCP, host="127.0.0.1", port=0)),
    ("[::1]:8000", Address(AddressKind.TCP, host="::1", port=8000)),
    ("[0:0::0:1]:80", Address(AddressKind.TCP, host="::1", port=80)),
    ("[fe80::1%eth0]:80", Address(AddressKind.TCP, host="fe80::1%eth0", port=80)),
    ("FastCGI://[::]:9000", Address(AddressKind.TCP, "fastcgi", host="::", port=9000)),
    ("unix:/run/app.sock", Address(AddressKind.UNIX, path="/run/app.sock")),
    ("unix:///run/app.sock", Address(AddressKind.UNIX, path="/run/app.sock")),
    ("unix:a+unix:b://c", Address(AddressKind.UNIX, path="a+unix:b://c")),
    ("scgi+unix:/run/a b", Address(AddressKind.UNIX, "scgi", path="/run/a b")),
    ("unix:" + "x" * 107, Address(AddressKind.UNIX, path="x" * 107)),
    ("unix:@app", Address(AddressKind.ABSTRACT, path="app")),
    ("uwsgi+unix:@app", Address(AddressKind.ABSTRACT, "uwsgi", path="app")),
    ("fd://3", Address(AddressKind.FD, number=3)),
    ("scgi+fd://0", Address(AddressKind.FD, "scgi", number=0)),
]

MALFORMED = [
    ("", "it is empty"),
    ("http://", "it is empty"),
    ("localhost", "'localhost' is not a port"),
    ("localhost:", "'' is not a port"),
    ("localhost:http", "'http' is not a port"),
    ("localhost:-1", "'-1' is not a port"),
    ("localhost:٣", "'٣' is not a port"),
    ("localhost:80/", "'80/' is not a port"),
    ("localhost:65536", "beyond 65535"),
    ("localhost:" + "9" * 5000, "beyond 65535"),
    ("::1:8000", "brackets"),
    ("a:b:80", "brackets"),
    ("[::1:80", "brackets"),
    ("[::1]80", "brackets"),
    ("[127.0.0.1]:80", "not an IPv6 address"),
    ("[]:80", "not an IPv6 address"),
    ("a/b:80", "not a host name"),
    ("http+localhost:80", "not a host name"),
    ("ho st:80", "not a host name"),
    ("127.0.0..1:8000", "nothing between two dots"),
    (".example.org:80", "nothing between two dots"),
    (".:80", "nothing between two dots"),
    ("a..:80", "nothing between two dots"),
    ("x" * 64 + ".org:80", "too long for a host name"),
    ("x." * 126 + "xy:80", "too long for a host name"),
    ("unix:", "path is missing"),
    ("unix:@", "path is missing"),
    ("unix:" + "x" * 108, "longer than 107 bytes"),
    ("unix:" + "é" * 54, "longer than 107 bytes"),
    ("unix:a\0b", "NUL"),
    ("fd://", "not a file descriptor"),
    ("fd:3", "not a file descriptor (write fd://3)"),
    ("fd://x", "not a file descriptor"),
    ("fd://99999999999", "beyond all file descriptors"),
    ("fastcg://:9000", "did you mean 'fastcgi'?"),
    ("gopher://:70", "there is fastcgi, http, scgi, uwsgi"),
]


@pytest.mark.parametrize(("text", "address"), MEANINGS)
def test_reads_every_form(text: str, address: Address) -> None:
    assert parse_bind(text, protocols=FAMILY) == address


@pytest.mark.parametrize(("text", "reason"), MALFORMED)
def test_says_what_is_wrong(text: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_bind(text, protocols=FAMILY)
    assert reason in str(caught.value)
    assert repr(text) in str(caught.value)


def test_knows_what_is_spoken_here_unless_told_otherwise() -> None:
    assert parse_bind("scgi://:4000").protocol == "scgi"
    with pytest.raises(ConfigError, match="unknown protocol 'gopher'"):
        parse_bind("gopher://:70")


@pytest.mark.parametrize(("text", "address"), MEANINGS)
def test_the_canonical_text_means_the_same(text: str, address: Address) -> None:
    assert parse_bind(address.text, protocols=FAMILY) == address


TEXTS = st.text() | st.text("unixfdhttp:/+@[]%.0123456789")


@settings(max_examples=100)
@given(TEXTS)
def test_any_text_is_an_address_or_an_error_of_configuration(text: str) -> None:
    try:
        address = parse_bind(text, protocols=FAMILY)
    except ConfigError:
        return
    assert parse_bind(address.text, protocols=FAMILY) == address


def test_a_listener_may_serve_another_protocol_after_a_reload() -> None:
    old = parse_bind(":9000")
    assert same(old, parse_bind("fastcgi://0.0.0.0:9000", protocols=FAMILY))
    assert not same(old, parse_bind(":9001"))
    assert not same(parse_bind("unix:@app"), parse_bind("unix:app"))
