"""prefork.system.exposure: who can connect to what believes its peer."""

import socket
from pathlib import Path

import pytest

from prefork.errors import ConfigError
from prefork.system.address import parse_bind
from prefork.system.exposure import check_exposure, find_risk, is_exposed, is_loopback

PROTOCOLS = frozenset({"http", "fastcgi", "auto"})


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.1", True),
        ("127.1", True),
        ("::1", True),
        ("localhost", True),
        ("127.example.org", False),
        ("localhost.example.org", False),
        ("0.0.0.0", False),
        ("::", False),
        ("::ffff:127.0.0.1", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_known_by_its_numbers(host: str, is_local: bool) -> None:
    assert is_loopback(host) is is_local


def test_a_unix_socket_is_not_exposed(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(tmp_path / "app.sock"))
        assert not is_exposed(sock)


@pytest.mark.parametrize(
    ("protocol", "host", "risk"),
    [
        ("http", "0.0.0.0", ""),
        ("fastcgi", "127.0.0.1", ""),
        ("fastcgi", "0.0.0.0", "fastcgi believes whoever can connect"),
    ],
)
def test_only_who_believes_its_peer_is_at_risk(
    protocol: str, host: str, risk: str
) -> None:
    with socket.create_server((host, 0)) as sock:
        assert find_risk(protocol, sock) == risk


@pytest.mark.parametrize(
    ("protocol", "host", "secret"),
    [
        ("ajp", "127.0.0.1", ""),
        ("ajp", "0.0.0.0", "s3cr3t"),
        ("fastcgi", "0.0.0.0", ""),
    ],
)
def test_who_can_be_known_by_a_secret_is(protocol: str, host: str, secret: str) -> None:
    with socket.create_server((host, 0)) as sock:
        check_exposure(protocol, sock, secret)


def test_a_secret_is_needed_where_others_can_connect() -> None:
    with socket.create_server(("0.0.0.0", 0)) as sock:
        assert find_risk("ajp", sock) == ""
        with pytest.raises(ConfigError, match="set ajp_secret, or bind") as caught:
            check_exposure("ajp", sock, "")
    assert "cannot listen on ajp://0.0.0.0:" in str(caught.value)


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    with (
        socket.create_server(("::", 0), family=socket.AF_INET6) as sock,
        pytest.raises(ConfigError, match=r"^cannot listen on ajp://\[::\]:\d+: "),
    ):
        check_exposure("ajp", sock, "")


@pytest.mark.parametrize("host", ["", "0.0.0.0", "[::]", "10.0.0.1", "example.org"])
def test_guessing_is_refused_where_others_can_connect(host: str) -> None:
    with pytest.raises(ConfigError, match="auto is for this machine only") as caught:
        parse_bind(f"auto://{host}:9000", protocols=PROTOCOLS)
    assert str(caught.value).startswith(f"cannot bind 'auto://{host}:9000': ")


@pytest.mark.parametrize(
    "bind",
    ["auto://127.0.0.1:0", "auto://[::1]:0", "auto+unix:@app", "auto://localhost:0"],
)
def test_guessing_is_allowed_on_this_machine(bind: str) -> None:
    assert parse_bind(bind, protocols=PROTOCOLS).protocol == "auto"


def test_nor_is_it_on_a_socket_that_was_passed_to_us() -> None:
    refused = pytest.raises(ConfigError, match=r"^cannot listen on auto://0.0.0.0:")
    with socket.create_server(("", 0)) as sock, refused:
        check_exposure("auto", sock, "secret")
    with socket.create_server(("127.0.0.1", 0)) as sock:
        check_exposure("auto", sock, "")
