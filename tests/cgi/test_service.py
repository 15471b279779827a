"""prefork-cgi as a server: every protocol, bodies, and nothing left behind."""

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from serving import Server, eventually
from serving import fastcgi as wire

pytestmark = pytest.mark.process

HEAD = "echo 'Content-Type: text/plain'; echo;"
Write = Callable[..., Path]
Serve = Callable[..., Server]


def is_gone(pid: int) -> bool:
    return not os.path.exists(f"/proc/{pid}")


def read_pids(path: Path) -> list[int]:
    return eventually(lambda: [int(word) for word in path.read_text().split()])


def begin(server: Server, target: str) -> http.client.HTTPConnection:
    """Ask for something, and wait for nothing."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", target)
    return connection


# ---- one way of asking or another


@pytest.mark.parametrize("protocol", ["http", "fastcgi", "scgi", "uwsgi", "ajp"])
def test_every_protocol_reaches_the_programs(
    serve: Serve, sh: Write, server: Server, protocol: str
) -> None:
    sh(
        "a.cgi",
        f'{HEAD} echo "$SCRIPT_NAME|$PATH_INFO|$QUERY_STRING|$CONTENT_LENGTH"; cat',
    )
    serve("-w", "1", bind=f"{protocol}://127.0.0.1:0")
    place = server.wait_log(rf"listening on=({protocol}://\S+)")[1]
    command = [sys.executable, "-m", "prefork.cli.control", "request", place]
    done = subprocess.run(
        [*command, "/a.cgi/p%20q?x=y", "--data", "body"],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        timeout=30,
    )
    assert done.stdout == b"/a.cgi|/p q|x=y|4\nbody"


def test_a_single_program_has_all_paths(serve: Serve, sh: Write) -> None:
    program = sh("a.cgi", f'{HEAD} echo "$SCRIPT_NAME|$PATH_INFO|$PATH_TRANSLATED"')
    server = serve("-w", "1", app=str(program))
    here = str(program.parent)
    assert server.get("/x/y")[1].decode() == f"|/x/y|{here}/x/y\n"


def test_a_mount_point_is_not_a_directory(serve: Serve, sh: Write) -> None:
    sh("a.cgi", f'{HEAD} echo "$SCRIPT_NAME|$PATH_INFO"')
    sh("go.cgi", "echo 'Location: /cgi/a.cgi/there%20it'; echo")
    server = serve("-w", "1", "--script-name", "/cgi")
    assert server.get("/cgi/a.cgi/x")[1] == b"/cgi/a.cgi|/x\n"
    assert server.get("/cgi/go.cgi")[1] == b"/cgi/a.cgi|/there it\n"


def test_a_redirect_to_what_is_no_program_is_the_clients(
    serve: Serve, sh: Write
) -> None:
    sh("go.cgi", "echo 'Location: /page.html?a'; echo")
    server = serve("-w", "1")
    connection = begin(server, "/go.cgi")
    response = connection.getresponse()
    assert (response.status, response.headers["Location"]) == (302, "/page.html?a")
    connection.close()


# ---- bodies


def test_a_chunked_body_has_a_length(serve: Serve, sh: Write) -> None:
    """RFC 3875 4.1.2: "after the server has removed any transfer-codings"."""
    sh("a.cgi", f'{HEAD} echo "$CONTENT_LENGTH|$HTTP_TRANSFER_ENCODING"; wc -c')
    server = serve("-w", "1")
    for size in (100, 3_000_000):
        with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as client:
            pieces = (b"x" * 10 for _ in range(size // 10))
            client.request("POST", "/a.cgi", pieces, encode_chunked=True)
            assert client.getresponse().read() == b"%d|\n%d\n" % (size, size)


def test_a_long_body_streams_and_ends(serve: Serve, sh: Write) -> None:
    """cat reads to the end, whatever CONTENT_LENGTH says."""
    sh("a.cgi", f"{HEAD} cat")
    server = serve("-w", "1")
    body = os.urandom(3_000_000)
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as client:
        client.request("POST", "/a.cgi", body)
        assert client.getresponse().read() == body


def test_a_client_that_is_slow_with_its_body_is_told_so(
    serve: Serve, sh: Write
) -> None:
    sh("a.cgi", f"body=$(cat); {HEAD} echo $body")
    server = serve("-w", "1", "--body-timeout", "0.3", "--body-buffer", "0")
    head = b"POST /a.cgi HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
    assert server.raw(head + b"abc").startswith(b"HTTP/1.1 408")


def test_without_a_body_there_is_no_length(serve: Serve, sh: Write) -> None:
    sh("a.cgi", f'{HEAD} echo "${{CONTENT_LENGTH-none}}"')
    server = serve("-w", "1")
    assert server.get("/a.cgi")[1] == b"none\n"


# ---- what the front end is told


def test_stderr_and_the_exit_status_reach_a_fastcgi_front_end(
    serve: Serve, sh: Write, tmp_path: Path
) -> None:
    sh("a.cgi", f"echo oops >&2; {HEAD} echo ok; exit 3")
    path = tmp_path / "f.sock"
    serve("-w", "1", "--frontend-errors", bind=f"fastcgi+unix:{path}")
    with wire.connect(str(path)) as connection:
        connection.send(wire.get("/a.cgi"))
        answer = connection.read_answer()
    assert answer.body == b"ok\n"
    assert b"oops\n" in answer.errors and b"exit code 3" in answer.errors
    assert answer.application == 3


# ---- nothing is left behind


def test_a_worker_that_is_killed_takes_its_program_along(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    """The master inherits it, and ends it with all that it has started."""
    sh("a.cgi", f"sleep 60 & echo $$ $! > {site}/pids; wait")
    serve("-w", "1")
    client = begin(server, "/a.cgi")
    pids = read_pids(site / "pids")
    os.kill(server.workers()[0], signal.SIGKILL)
    for pid in pids:
        eventually(lambda pid=pid: is_gone(pid))  # type: ignore[misc]
    client.close()
    server.wait_log("ended program")


def test_a_program_does_not_outlive_master_and_worker_that_are_killed_at_once(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    sh("a.cgi", f"sleep 60 & echo $$ $! > {site}/pids; wait")
    serve("-w", "1")
    client = begin(server, "/a.cgi")
    pids = read_pids(site / "pids")
    (worker,) = server.workers()
    server.signal(signal.SIGSTOP)  # so that it is not the master who ends it
    os.kill(worker, signal.SIGKILL)
    server.signal(signal.SIGKILL)
    for pid in pids:
        eventually(lambda pid=pid: is_gone(pid))  # type: ignore[misc]
    client.close()
    eventually(lambda: not server.processes())


def test_a_request_outlives_a_master_that_is_killed(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    sh("a.cgi", f"echo $$ > {site}/pids; sleep 1; {HEAD} echo done")
    serve("-w", "1")
    client = begin(server, "/a.cgi")
    (pid,) = read_pids(site / "pids")
    server.signal(signal.SIGKILL)
    assert client.getresponse().read() == b"done\n"
    client.close()
    eventually(lambda: is_gone(pid) and not server.processes())


@pytest.mark.slow
def test_a_program_that_hangs_does_not_outlive_master_and_worker(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    sh("a.cgi", f"sleep 60 & echo $$ $! > {site}/pids; wait")
    serve("-w", "1", "--cgi-timeout", "3", "--graceful-timeout", "1")
    client = begin(server, "/a.cgi")
    pids = read_pids(site / "pids")
    server.signal(signal.SIGKILL)
    for pid in pids:
        eventually(lambda pid=pid: is_gone(pid))  # type: ignore[misc]
    client.close()
    eventually(lambda: not server.processes())


@pytest.mark.slow
def test_a_program_that_never_falls_silent_is_ended_too(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    """Its worker is ended by the alarm that the death of the master has set."""
    sh("a.cgi", f"echo $$ > {site}/pids; {HEAD} while sleep 0.1; do echo x; done")
    serve("-w", "1", "--cgi-timeout", "1", "--graceful-timeout", "1")
    client = begin(server, "/a.cgi")
    (pid,) = read_pids(site / "pids")
    server.signal(signal.SIGKILL)
    eventually(lambda: is_gone(pid), within=20)
    client.close()
    eventually(lambda: not server.processes())


def test_a_stop_that_takes_too_long_ends_the_program(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    sh("a.cgi", f"sleep 60 & echo $$ $! > {site}/pids; wait")
    serve("-w", "1", "--graceful-timeout", "0.5")
    client = begin(server, "/a.cgi")
    pids = read_pids(site / "pids")
    assert server.stop() == 75
    for pid in pids:
        eventually(lambda pid=pid: is_gone(pid))  # type: ignore[misc]
    client.close()


def test_a_slow_client_gets_what_there_is_while_the_program_is_silent(
    serve: Serve, python: Write
) -> None:
    python(
        "a.cgi",
        "import time\n"
        "print('Content-Type: text/plain\\n\\n' + 'x' * 1_000_000, flush=True)\n"
        "time.sleep(60)",
    )
    server = serve("-w", "1")
    with server.connect(timeout=20) as client:
        client.sendall(b"GET /a.cgi HTTP/1.0\r\n\r\n")
        wanted, got = 1_000_000, 0
        while got < wanted:
            piece = client.recv(2000)
            assert piece
            got += len(piece)


# ---- limits


def test_a_program_has_only_the_memory_that_it_may_have(
    serve: Serve, python: Write
) -> None:
    python(
        "a.cgi",
        "import time\n"
        "time.sleep(0.2)\n"
        "try:\n    x = b'x' * 300_000_000\n    word = 'much'\n"
        "except MemoryError:\n    word = 'none'\n"
        "print('Content-Type: text/plain\\n\\n' + word)",
    )
    server = serve("-w", "1", "--cgi-memory", "200M")
    assert server.get("/a.cgi")[1] == b"none\n"


@pytest.mark.slow
def test_a_program_that_computes_for_too_long_is_ended(
    serve: Serve, sh: Write, server: Server
) -> None:
    sh("a.cgi", "while :; do :; done")
    serve("-w", "1", "--cgi-cpu", "1")
    assert server.get("/a.cgi", timeout=60)[0] == 500
    assert "cause=SIGKILL" in server.log or "cause=SIGXCPU" in server.log


# ---- as for WSGI


def test_workers_are_recycled(serve: Serve, sh: Write) -> None:
    sh("a.cgi", f"{HEAD} echo $PPID")
    server = serve("-w", "1", "--max-requests", "2")
    first = server.get("/a.cgi")[1]
    eventually(lambda: server.get("/a.cgi")[1] != first)


def test_a_reload_that_finds_no_directory_is_refused(
    serve: Serve, sh: Write, server: Server, site: Path
) -> None:
    sh("a.cgi", f"{HEAD} echo ok")
    serve("-w", "1")
    site.rename(site.with_name("moved"))
    server.signal(signal.SIGHUP)
    server.wait_log("reload failed")
    assert "cannot serve" in server.log
    assert [server.get("/a.cgi")[0], server.process.poll()] == [404, None]  # type: ignore[union-attr]
    site.with_name("moved").rename(site)
    assert server.get("/a.cgi") == (200, b"ok\n")


def test_a_directory_that_is_missing_is_told_at_the_start(server: Server) -> None:
    server.start(app="/nowhere", program="prefork.cli.cgi", wait=False)
    assert server.wait() == 78
    assert "cannot serve /nowhere: No such file or directory" in server.log
