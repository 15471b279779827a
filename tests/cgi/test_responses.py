"""What of a CGI program's output the client gets, and whether that looks whole."""

from collections.abc import Callable
from pathlib import Path

import pytest
from serving import Server
from serving import fastcgi as fcgi
from serving.wire import Wire

pytestmark = pytest.mark.process

HEAD = "echo 'Content-Type: text/plain'; echo;"
Write = Callable[..., Path]
Serve = Callable[..., Server]


def ask(
    server: Server, target: str, *, version: str = "1.1", begun: Path | None = None
) -> bytes:
    """The answer to the end; `begun` is created when the first of it is here."""
    with Wire(server.connect(timeout=20)) as wire:
        wire.send(f"GET {target} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
        start = wire.read(15)
        if begun is not None:
            begun.touch()
        return start + wire.read_rest()


RESPONSES = [
    "HTTP/1.1 202 Nph\r\nX-A: b\r\n\r\nbody",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "HTTP/1.0 200\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
]


@pytest.mark.parametrize("response", RESPONSES)
def test_the_response_of_an_nph_program_is_not_touched(
    serve: Serve, python: Write, response: str
) -> None:
    """RFC 3875 5.2: "sent to the client unmodified"; and the connection ends."""
    python("nph-a.cgi", f"sys.stdout.write({response!r})")
    server = serve("-w", "1")
    assert ask(server, "/nph-a.cgi") == response.encode()


def test_a_web_server_gets_an_nph_response_in_its_own_words(
    serve: Serve, python: Write, tmp_path: Path
) -> None:
    python("nph-a.cgi", f"sys.stdout.write({RESPONSES[1]!r})")
    path = tmp_path / "f.sock"
    serve("-w", "1", bind=f"fastcgi+unix:{path}")
    with fcgi.connect(str(path)) as connection:
        connection.send(fcgi.get("/nph-a.cgi"))
        assert connection.read_answer().body == b"abc"


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_the_answer_of_a_program_that_is_killed_does_not_look_whole(
    serve: Serve, sh: Write, server: Server, site: Path, version: str
) -> None:
    wait = "until [ -e begun ]; do sleep 0.02; done"
    sh("a.cgi", f"{HEAD} echo half; {wait}; kill -9 $$")
    serve("-w", "1")
    answer = ask(server, "/a.cgi", version=version, begun=site / "begun")
    end = b"half\n\r\n" if version == "1.1" else b"[RESET]"
    assert answer.endswith(end)
    line = server.wait_log("program failed.*")[0]
    assert "a.cgi" in line and "SIGKILL" in line and "path=/a.cgi" in line


@pytest.mark.slow
def test_so_does_not_that_of_one_that_falls_silent(
    serve: Serve, sh: Write, server: Server
) -> None:
    sh("a.cgi", f"{HEAD} echo half; sleep 60")
    serve("-w", "1", "--cgi-timeout", "3")  # it has to start within them, too
    assert ask(server, "/a.cgi").endswith(b"half\n\r\n")
    server.wait_log("cannot answer.*answer=cut.*was silent")
