"""Bodies and answers of CGI programs that are on their way at the same time.

Where nginx may be behind it an answer waits for the body; tests/frontends has the real
ones.
"""

import os
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from serving import Server
from serving.wire import Wire

pytestmark = pytest.mark.process

HEAD = "echo 'Content-Type: text/plain'; echo;"
EXPECT = "Expect: 100-continue"
INVITATION = b"HTTP/1.1 100 Continue\r\n\r\n"
SIZE = 20_000_000
Write = Callable[..., Path]
Serve = Callable[..., Server]


def post(server: Server, size: int, *fields: str) -> Wire:
    """Ask for a.cgi, with a body that is still to be sent."""
    wire = Wire(server.connect(timeout=30))
    wire.request("/a.cgi", f"Content-Length: {size}", *fields, method="POST")
    if EXPECT in fields:
        assert wire.read(len(INVITATION)) == INVITATION
    return wire


def mirror(connection: socket.socket, body: bytes) -> bytes:
    """Send it, and read whatever comes, up to the end."""
    left, got = memoryview(body), bytearray()
    connection.setblocking(False)
    while True:
        writers = [connection] if left else []
        readable, writable, _ = select.select([connection], writers, [], 30)
        assert readable or writable
        if readable:
            data = connection.recv(65536)
            if not data:
                return bytes(got)
            got += data
        if writable:
            left = left[connection.send(left[:65536]) :]


def unchunk(data: bytes) -> bytes:
    pieces, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if not size:
            return b"".join(pieces)
        pieces.append(data[end + 2 : end + 2 + size])
        at = end + 4 + size


def peak_memory(pid: int) -> int:
    """Bytes: VmHWM of proc_pid_status(5)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return int(text.partition("VmHWM:")[2].split()[0]) << 10


@pytest.mark.parametrize("fields", [(), (EXPECT,)], ids=["plain", "invited"])
def test_a_large_body_comes_back_while_it_is_sent_in_little_memory(
    serve: Serve, sh: Write, fields: tuple[str, ...]
) -> None:
    sh("a.cgi", f"{HEAD} exec cat")
    server = serve("-w", "1")
    assert server.get("/a.cgi")[0] == 200
    before = peak_memory(server.workers()[0])
    body = os.urandom(SIZE)
    with post(server, SIZE, *fields) as wire:
        data = mirror(wire.socket, body)
    assert unchunk(data.partition(b"\r\n\r\n")[2]) == body
    assert peak_memory(server.workers()[0]) - before < 8 << 20


@pytest.mark.parametrize("fields", [(), (EXPECT,)], ids=["plain", "invited"])
def test_the_answer_begins_before_the_body_has_ended(
    serve: Serve, sh: Write, fields: tuple[str, ...]
) -> None:
    sh("a.cgi", f"{HEAD} exec cat")
    server = serve("-w", "1")
    with post(server, 200_001, *fields) as wire:
        wire.send(b"x" * 200_000)
        head = wire.read(15)
        assert head == b"HTTP/1.1 200 OK"
        wire.send(b"y")
        assert wire.read_rest().endswith(b"y\r\n0\r\n\r\n")


def test_a_client_that_may_be_nginx_is_answered_when_it_has_sent_everything(
    serve: Serve, sh: Write
) -> None:
    sh("a.cgi", f"{HEAD} exec cat")
    server = serve("-w", "1")
    with post(server, 200_001, "X-Forwarded-For: 192.0.2.1") as wire:
        wire.send(b"x" * 200_000)
        assert not wire.wait_readable(1.0)
        wire.send(b"y")
        assert wire.read_answer().body == b"x" * 200_000 + b"y"


@pytest.mark.parametrize("field", [EXPECT, "X-Forwarded-For: 192.0.2.1"])
@pytest.mark.parametrize(
    "program",
    [
        "exec cat",
        "head -c 3000000 /dev/zero; cat",  # writes before it reads
        "head -c 3000000 /dev/zero",  # never reads
        "head -c 1000000; exec 0<&-; head -c 2000000 /dev/zero",  # reads a part of it
        "exec 0<&-; head -c 20000000 /dev/zero",  # wants none of it
    ],
)
def test_a_client_that_reads_nothing_before_it_has_sent_everything_is_no_knot(
    serve: Serve, sh: Write, field: str, program: str
) -> None:
    """As Apache does, and Caddy with FastCGI."""
    sh("a.cgi", f"{HEAD} {program}")
    server = serve("-w", "1", "--write-timeout", "60", "--body-timeout", "60")
    body = b"x" * 12_000_000
    with post(server, len(body), field) as wire:
        wire.send(body)
        assert len(wire.read_answer().body) >= 3_000_000


def test_a_client_that_never_reads_does_not_keep_the_worker(
    serve: Serve, sh: Write, server: Server
) -> None:
    sh("a.cgi", f"{HEAD} exec cat")
    serve("-w", "1", "--write-timeout", "0.5", "--log-level", "debug")
    size = 30_000_000
    with post(server, size, EXPECT) as wire:
        with suppress(ConnectionError):  # a pause in it is long enough
            wire.send(b"x" * size)
        server.wait_log("the client does not take its answer")
    assert server.get("/a.cgi")[0] == 200


# ---- clients that stop to send


def test_a_client_that_half_closes_after_its_request_is_answered(
    serve: Serve, sh: Write
) -> None:
    """`nc -N` does, and some health checks."""
    sh("a.cgi", f"sleep 0.3; {HEAD} echo ok; sleep 0.3; echo more")
    server = serve("-w", "1")
    for body in (b"", b"body"):
        with Wire(server.connect(timeout=30)) as wire:
            length = f"Content-Length: {len(body)}"
            wire.request("/a.cgi", length, "Connection: close", method="POST")
            wire.send(body)
            wire.end()
            assert wire.read_answer().body == b"ok\nmore\n"


def test_what_is_written_for_a_client_that_has_left_ends_the_program(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    sh("a.cgi", f"echo $$ > {site}/pid; {HEAD} while sleep 0.1; do echo x; done")
    serve("-w", "1", "--log-level", "debug")
    with Wire(server.connect(timeout=30)) as wire:
        wire.request("/a.cgi")
        wire.read(15)
    server.wait_log("lost client")
    assert server.get("/")[0] in (403, 404)
    assert not os.path.exists(f"/proc/{(site / 'pid').read_text().strip()}")
