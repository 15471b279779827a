"""What is known to be wrong in flup 1.0.3, and is not here: a test for each defect.

flup is what has served FastCGI, SCGI and AJP in Python so far.  Its defects have nine
numbers; what belongs together has one.
"""

import signal
import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from serving import Server, ajp, eventually
from serving.fastcgi import Wire, begin, get, params, post, record, stream
from serving.server import read_all

from prefork.protocols import fastcgi_records as wire
from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import word

pytestmark = [pytest.mark.process, pytest.mark.slow]

PROTOCOLS = ("fastcgi", "scgi", "ajp")
LINES = """
def wsgi(environ, start_response):
    start_response("200 OK", [])
    body = environ["wsgi.input"]
    return [line + b"|" for line in iter(lambda: body.readline(4), b"")]
"""

Open = Callable[[str], socket.socket]


@pytest.fixture
def start(server: Server) -> Iterator[Callable[..., Open]]:
    """Start a server that speaks all of flup's protocols; what connects to it."""

    def start(workers: str = "1", *arguments: str) -> Open:
        more = [f"-b={name}+unix:{name}.sock" for name in PROTOCOLS]
        server.start("-w", workers, *more, *arguments)
        return connect

    def connect(protocol: str) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(15)
        connection.connect(str(server.directory / f"{protocol}.sock"))
        return connection

    yield start
    if server.process is not None and server.process.poll() is None:
        assert server.stop() == 0


Start = Callable[..., Open]


def ask(connect: Open, protocol: str, target: str, body: bytes = b"") -> bytes:
    """One request over SCGI or FastCGI, and all that comes back."""
    question = Question(target=target, method="POST" if body else "GET", body=body)
    with connect(protocol) as connection:
        connection.sendall(next(word(protocol, question)))
        return read_all(connection)


def test_the_pool_grows_when_all_are_busy(start: Start, server: Server) -> None:
    """Defect 1: its parent takes each child for idle, and stays at maxSpare of them."""
    connect, go = start("1:3"), server.directory / "go"
    with ExitStack() as stack:
        waiting = [stack.enter_context(connect("fastcgi")) for _ in range(3)]
        for connection in waiting:
            connection.sendall(get(f"/hold?until={go}"))
        eventually(lambda: len(server.workers()) == 3, within=10)
        go.touch()
        for connection in waiting:
            assert b"held\n" in read_all(connection)


def test_sigusr1_kills_nobody(start: Start, server: Server) -> None:
    """Defect 2: it kills flup's master."""
    connect = start()
    before = server.workers()
    server.signal(signal.SIGUSR1)
    server.wait_log("reopened|signal=SIGUSR1")
    assert b"hello\n" in ask(connect, "scgi", "/")
    assert server.workers() == before


def test_a_worker_that_hangs_does_not_keep_the_server_from_stopping(
    start: Start, server: Server
) -> None:
    """Defect 3: flup waits for it for ever; for connections that AJP keeps, too."""
    connect = start("2", "--graceful-timeout", "1")
    with ajp.Wire(connect("ajp")) as idle, connect("fastcgi") as busy:
        assert idle.ask(ajp.forward("/")).status == 200
        busy.sendall(get("/deaf?say=busy"))
        server.wait_log("busy")
        assert server.stop() == 75


def test_a_variable_may_be_cut_between_records(start: Start) -> None:
    """Defect 4: it decodes record by record, and gives half of the value."""
    block = params(REQUEST_METHOD="GET", REQUEST_URI="/environ", LONG="v" * 30)
    data = wire.format_begin(1) + stream(wire.PARAMS, block, size=7)
    with Wire(start()("fastcgi")) as connection:
        connection.send(data + stream(wire.STDIN))
        assert f"LONG='{'v' * 30}'".encode() in connection.read_answer().body


def test_values_that_are_asked_for_are_told(start: Start) -> None:
    """Defect 5: it looks bytes up among texts, and tells none."""
    with Wire(start("3")("fastcgi")) as connection:
        asked = params(FCGI_MAX_CONNS="", FCGI_MPXS_CONNS="")
        connection.send(record(wire.GET_VALUES, asked, number=0))
        answer = connection.read_record()
        assert answer is not None
        values = dict(wire.parse_pairs(answer[2]))
        assert values == {"FCGI_MAX_CONNS": "3", "FCGI_MPXS_CONNS": "0"}


def test_ajp_has_secrets_paths_chunks_and_statuses(
    start: Start, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Defect 6: it drops who says a secret, decodes no path, fails at a chunked body,
    says 200 with its page of an error, and knows no unix sockets."""
    monkeypatch.setenv("PREFORK_AJP_SECRET", "s3cr3t")
    connect = start()
    said = ajp.PORT + ajp.coded(0x0C, "s3cr3t")
    with ajp.Wire(connect("ajp")) as connection:
        path = connection.ask(ajp.forward("/%65nviron", attributes=said))
        assert b"PATH_INFO='/environ'\n" in path.body
        chunked = ("Transfer-Encoding", "chunked")
        post_ = ajp.forward("/echo", chunked, method=ajp.POST, attributes=said)
        assert connection.ask(post_, upload=b"abc" * 9).body == b"abc" * 9
        assert connection.ask(ajp.forward("/fail", attributes=said)).status == 500


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi"])
def test_a_peer_that_does_not_close_holds_up_nobody(
    start: Start, protocol: str
) -> None:
    """Defect 7: it reads to the end of the connection, however long that takes."""
    connect = start()
    question = Question(target="/ignore", method="POST", body=bytes(100_000))
    with connect(protocol) as open_:
        open_.sendall(next(word(protocol, question))[:-1])
        answer = more = open_.recv(65536)
        while more and b"not read\n" not in answer:
            answer += (more := open_.recv(65536))
        assert b"not read\n" in answer
        before = time.monotonic()
        assert b"hello\n" in ask(connect, protocol, "/")
        assert time.monotonic() - before < 5


def test_a_netstring_has_a_longest_length(start: Start) -> None:
    """Defect 7: it reads its length, byte by byte, for as long as there are digits."""
    with start()("scgi") as connection:
        connection.sendall(b"9" * 4096)
        assert read_all(connection).startswith(b"Status: 431 ")


def test_a_body_ends_at_its_length(start: Start) -> None:
    """Defect 7: of SCGI it reads on, until the peer closes."""
    assert ask(start(), "scgi", "/echo", b"a=b").endswith(b"\r\n\r\na=b")


def test_a_line_is_no_longer_than_was_asked_for(server: Server) -> None:
    """Defect 7: of readline(n) it gives the whole line."""
    (server.directory / "lines.py").write_text(LINES)
    server.start("-w", "1", bind="scgi+unix:lines.sock", app="lines:wsgi")
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(server.directory / "lines.sock"))
        question = Question(method="POST", body=b"long line\nand\n")
        connection.sendall(next(word("scgi", question)))
        answer = read_all(connection)
    assert answer.endswith(b"\r\n\r\nlong| lin|e\n|and\n|")
    assert server.stop() == 0


def test_what_a_server_leaves_in_the_system_is_the_operators_to_say(
    server: Server,
) -> None:
    """Defect 8: its sockets have any mode, and there is no file with its pid."""
    path, pid_file = server.directory / "own.sock", server.directory / "pid"
    where = f"fastcgi+unix:{path}"
    server.start("-w", "1", "--socket-mode", "600", "-p", str(pid_file), bind=where)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert int(pid_file.read_text()) == server.pid
    assert server.stop() == 0
    assert not path.exists() and not pid_file.exists()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_who_falls_silent_is_sent_away(start: Start, protocol: str) -> None:
    """Defect 9: it takes the seconds of a timeout for whether to wait at all."""
    connect = start("1", "--header-timeout", "3")
    begun = {"fastcgi": get("/")[:30], "scgi": b"70:CONTENT", "ajp": b"\x12\x34\x01"}
    with connect(protocol) as silent:
        silent.sendall(begun[protocol])
        read_all(silent)  # which ends


def test_workers_that_die_at_once_are_forked_ever_more_slowly(server: Server) -> None:
    """Defect 8: it forks as fast as it can, for ever."""
    dying = "import os, app\nos.register_at_fork(after_in_child=lambda: os._exit(3))\n"
    (server.directory / "dying.py").write_text(f"{dying}wsgi = app.wsgi\n")
    server.start("-w", "1", app="dying:wsgi", wait=False)
    pauses = "(.|\n)*".join(f"backing off failures={n} " for n in (2, 3, 4, 5))
    server.wait_log(pauses)
    assert server.log.count("lost worker") < 9
    server.stop()


def test_a_socket_that_is_in_use_is_not_taken_away(
    start: Start, server: Server
) -> None:
    """Defect 8: it removes whatever file is there."""
    connect = start()
    other = Server(server.directory)
    other.start(bind="fastcgi+unix:fastcgi.sock", wait=False)
    assert other.wait() == 1
    with Wire(connect("fastcgi")) as connection:
        connection.send(get("/"))
        assert connection.read_answer().body == b"hello\n"


@pytest.mark.parametrize("code", ["204", "304"])
def test_an_answer_without_a_body_has_no_length(start: Start, code: str) -> None:
    """Defect 8: it adds that of a body that must not be there."""
    with Wire(start()("fastcgi")) as connection:
        connection.send(get(f"/status?code={code}"))
        answer = connection.read_answer()
    assert "content-length" not in answer.headers
    assert answer.body == b""


def test_a_traceback_is_for_the_log_alone(start: Start, server: Server) -> None:
    """Defect 8: it goes to the web server, word for word."""
    with Wire(start()("fastcgi")) as connection:
        connection.send(get("/fail"))
        said = connection.read_rest()
    assert b"RuntimeError" in said
    assert b"on purpose" not in said
    assert b"Traceback" not in said
    assert "failed on purpose" in server.log


def test_what_follows_a_request_is_the_next_one(start: Start) -> None:
    """Beside the nine: libfcgi loses a request that comes in the same piece."""
    with Wire(start()("fastcgi")) as connection:
        late = begin(number=2, REQUEST_URI="/pid") + stream(wire.STDIN, number=2)
        connection.send(post("/echo", b"one", keep=True) + late)
        assert connection.read_answer().body == b"one"
        assert int(connection.read_answer(number=2).body) > 0
