"""Connections that begin with a PROXY header: who the client is said to be."""

import ast
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.server import read_all
from serving.wire import Wire

pytestmark = pytest.mark.process

HAPROXY = shutil.which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
V1 = b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n"
LOCAL = b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"
GET = b"GET /environ HTTP/1.1\r\nHost: test\r\n\r\n"


def variables_in(body: bytes) -> dict[str, str]:
    """What /environ says of the client."""
    lines = (line.partition("=") for line in body.decode().splitlines())
    addresses = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_ADDR", "SERVER_PORT")
    return {name: ast.literal_eval(v) for name, _, v in lines if name in addresses}


CLIENT = {
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "56324",
    "SERVER_ADDR": "198.51.100.1",
    "SERVER_PORT": "443",
}


def test_the_header_says_who_asks_on_this_connection(server: Server) -> None:
    server.start("-w", "1", "--proxy-protocol", "--access-logfile", "access.log")
    with Wire(server.connect()) as wire:
        wire.send(V1, GET)
        assert variables_in(wire.read_answer().body) == CLIENT
        wire.send(GET)
        assert variables_in(wire.read_answer().body) == CLIENT
    log = server.directory / "access.log"
    eventually(lambda: log.read_text().count("192.0.2.7 - - [") == 2)


def test_a_request_may_follow_its_header_late(server: Server) -> None:
    server.start("-w", "1", "--proxy-protocol", "--keep-alive", "0.1")
    with Wire(server.connect()) as wire, server.connect() as silent:
        wire.send(V1[:9])
        assert not wire.wait_readable(0.3)
        wire.send(V1[9:])
        assert not wire.wait_readable(0.7)  # beyond a sweep, and beyond --keep-alive
        wire.send(GET)
        assert variables_in(wire.read_answer().body) == CLIENT
        silent.sendall(LOCAL)
    assert server.stop() == 0
    assert "error" not in server.log


def test_a_proxy_that_asks_for_itself_is_the_client(server: Server) -> None:
    server.start("-w", "1", "--proxy-protocol")
    with Wire(server.connect()) as wire:
        wire.send(LOCAL, GET)
        variables = variables_in(wire.read_answer().body)
    assert variables["REMOTE_ADDR"] == "127.0.0.1"
    assert variables["SERVER_PORT"] == str(server.port)


def test_a_connection_without_a_header_is_refused(server: Server) -> None:
    arguments = ("--proxy-protocol", "--log-level", "debug", "--access-logfile", "-")
    server.start("-w", "1", *arguments)
    assert server.raw(GET).startswith(b"HTTP/1.1 400 Bad Request\r\n")
    server.wait_log('refused request .*reason="no PROXY header"')
    server.wait_log(r"127\.0\.0\.1 - - .* 400 ")


def test_a_peer_that_is_not_trusted_is_closed_and_noted(server: Server) -> None:
    server.start("-w", "1", "--proxy-protocol", "--proxy-allow-ips", "192.0.2.0/24")
    assert server.raw(V1 + GET) in (b"", b"[RESET]")
    server.wait_log('closed connection .*reason="no proxy to be trusted: 127.0.0.1"')


@pytest.mark.parametrize("protocol", ["http", "scgi", "auto"])
def test_any_protocol_may_follow_and_the_canary_needs_no_header(
    server: Server, protocol: str
) -> None:
    bind = f"{protocol}+unix:{server.directory}/app.sock"
    server.start("-w", "1", "--proxy-protocol", "--canary-path", "/", bind=bind)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    pairs = ("CONTENT_LENGTH", "0", "SCGI", "1", "REQUEST_METHOD", "GET")
    text = "\0".join((*pairs, "PATH_INFO", "/environ", "")).encode()
    scgi = b"%d:%b," % (len(text), text)
    http = b"GET /environ HTTP/1.0\r\n\r\n"
    for request in {"http": [http], "scgi": [scgi]}.get(protocol, [http, scgi]):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(f"{server.directory}/app.sock")
            connection.sendall(V1 + request)
            _, _, body = read_all(connection).partition(b"\r\n\r\n")
        assert variables_in(body) == CLIENT


@contextmanager
def haproxy(directory: Path, target: str) -> Iterator[int]:
    """One HAProxy in TCP mode in front of `target`; yields its port."""
    configuration = directory / "haproxy.cfg"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        configuration.write_text(
            "defaults\n mode tcp\n timeout connect 5s\n timeout client 20s\n"
            " timeout server 20s\n"
            f"listen front\n bind fd@{listener.fileno()}\n server s {target}\n"
        )
        command = [str(HAPROXY), "-db", "-f", str(configuration)]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        try:
            yield listener.getsockname()[1]
        finally:
            process.terminate()
            process.wait(10)


@pytest.mark.frontend
@pytest.mark.skipif(not HAPROXY, reason="haproxy is not installed")
@pytest.mark.parametrize(
    "options",
    [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 proxy-v2-options crc32c",
        "send-proxy-v2-ssl",
        "send-proxy-v2 check inter 100ms",
    ],
)
def test_haproxy_says_who_its_client_is(server: Server, options: str) -> None:
    server.start("-w", "1", "--proxy-protocol")
    target = f"127.0.0.1:{server.port} {options}"
    with haproxy(server.directory, target) as port, connect(port) as wire:
        wire.send(GET)
        own = wire.socket.getsockname()[1]
        assert variables_in(wire.read_answer().body) == {
            "REMOTE_ADDR": "127.0.0.1",
            "REMOTE_PORT": str(own),
            "SERVER_ADDR": "127.0.0.1",
            "SERVER_PORT": str(port),
        }


def connect(port: int) -> Wire:
    return Wire(socket.create_connection(("127.0.0.1", port), 10))
