"""A real server that speaks SCGI and uwsgi on unix sockets, and one word of HTTP."""

import hashlib
import http.client
import io
import os
import socket
from collections.abc import Iterator

import pytest
from serving import Server, eventually
from serving.server import read_all

from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import word

pytestmark = pytest.mark.process

FIRST_LINES = {"scgi": "Status: ", "uwsgi": "HTTP/1.1 "}
BODY = os.urandom(1 << 20)


class Front:
    """A web server in front of one server, over one of the protocols."""

    def __init__(self, server: Server, protocol: str) -> None:
        self.server = server
        self.protocol = protocol
        self.path = str(server.directory / "app.sock")

    def start(self, *arguments: str, workers: int = 1) -> "Front":
        bind = f"{self.protocol}+unix:{self.path}"
        self.server.start("-w", str(workers), *arguments, bind=bind)
        return self

    def open(self) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(10)
        connection.connect(self.path)
        return connection

    def wire(self, target: str, method: str = "GET", **more: object) -> bytes:
        question = Question(method=method, target=target, **more)  # type: ignore
        return next(word(self.protocol, question))

    def ask(self, target: str, method: str = "GET", **more: object) -> "Answer":
        """One request, over a connection of its own."""
        with self.open() as connection:
            connection.sendall(self.wire(target, method, **more))
            return self.read_answer(connection)

    def read_answer(self, connection: socket.socket) -> "Answer":
        """What comes until the server closes, which it does after one answer."""
        return Answer(read_all(connection), FIRST_LINES[self.protocol])


class Answer:
    """One answer, read as CGI words it."""

    def __init__(self, data: bytes, first_line: str) -> None:
        head, end, self.body = data.partition(b"\r\n\r\n")
        assert head.startswith(first_line.encode()) and end, data[:100]
        first, _, fields = head.partition(b"\r\n")
        self.status = int(first[len(first_line) :].split()[0])
        self.headers = http.client.parse_headers(io.BytesIO(fields + b"\r\n\r\n"))


@pytest.fixture(params=FIRST_LINES)
def front(server: Server, request: pytest.FixtureRequest) -> Iterator[Front]:
    yield Front(server, request.param)
    if server.process is not None and server.process.poll() is None:
        assert server.stop() == 0


def test_usual_requests_are_answered(front: Front) -> None:
    front.start()
    answer = front.ask("/hello")
    assert (answer.status, answer.body) == (200, b"hello\n")
    assert answer.headers["content-length"] == "6"
    assert front.ask("/echo", "POST", body=b"a=b").body == b"a=b"
    head = front.ask("/hello", "HEAD")
    assert head.headers["content-length"] == "6" and not head.body
    for code in (204, 304):
        bare = front.ask(f"/status?code={code}")
        assert bare.status == code and not bare.body
    assert front.ask("/stream?n=3").body == b"chunk 0\nchunk 1\nchunk 2\n"


def test_a_large_answer_and_a_file_arrive_whole(front: Front) -> None:
    front.start()
    assert front.ask("/big?size=5000000").body == b"x" * 5_000_000
    answer = front.ask(f"/file?path={__file__}")
    with open(__file__, "rb") as file:
        assert answer.body == file.read()


def test_a_large_body_arrives_whole(front: Front) -> None:
    front.start()
    digest = hashlib.md5(BODY).hexdigest().encode()
    assert front.ask("/digest", "POST", body=BODY).body == digest


def test_a_request_that_comes_slowly_holds_up_nobody(front: Front) -> None:
    front.start()
    wire = front.wire("/echo", "POST", body=b"slowly")
    with front.open() as slow:
        for at in range(len(wire)):
            slow.sendall(wire[at : at + 1])
            if at in (0, 3, 50, len(wire) - 3):
                assert front.ask("/hello").status == 200
        assert front.read_answer(slow).body == b"slowly"


def test_silent_connections_hold_up_nobody(front: Front) -> None:
    front.start()
    silent = [front.open() for _ in range(8)]
    assert front.ask("/hello").status == 200
    for each in silent:
        each.sendall(front.wire("/hello"))
        assert front.read_answer(each).status == 200
        each.close()


def test_what_follows_a_request_is_never_another(front: Front) -> None:
    front.start("--access-logfile", "-")
    with front.open() as connection:
        connection.sendall(front.wire("/hello") + front.wire("/smuggled"))
        assert front.read_answer(connection).body == b"hello\n"
    with front.open() as connection:
        # More than is read with the head; and the socket takes it in one piece.
        body = front.wire("/smuggled") * (100_000 // len(front.wire("/smuggled")))
        connection.sendall(front.wire("/ignore", "POST", body=body))
        answer = front.read_answer(connection)
        assert (answer.status, answer.body) == (403, b"not read\n")
    front.server.wait_log("/ignore")
    assert "smuggled" not in front.server.log


def test_an_application_that_fails_is_told_without_its_traceback(front: Front) -> None:
    front.start()
    answer = front.ask("/fail")
    assert answer.status == 500 and b"Traceback" not in answer.body
    front.server.wait_log("failed on purpose")
    assert front.ask("/hello").status == 200


@pytest.mark.parametrize("protocol", FIRST_LINES)
def test_an_answer_that_breaks_off_does_not_look_whole(
    server: Server, protocol: str
) -> None:
    """Only the end of the connection tells where it ends: over TCP, by a reset."""
    server.start("-w", "1", bind=f"{protocol}://127.0.0.1:0")
    port = int(server.wait_log(rf"{protocol}://127.0.0.1:(\d+)")[1])
    with socket.create_connection(("127.0.0.1", port), 10) as cut:
        cut.sendall(Front(server, protocol).wire("/fail-late"))
        assert read_all(cut).endswith(b"[RESET]")
    server.wait_log("failed on purpose, late")
    assert server.stop() == 0


def test_of_one_that_does_look_whole_the_log_tells(front: Front) -> None:
    """Over a unix socket, where no end of a connection differs from another."""
    front.start()
    assert front.ask("/fail-late").body == b"so far so good\n"
    front.server.wait_log("warning cut answer .*path=/fail-late .*length was not said")


def test_a_client_that_is_gone_ends_its_answer(front: Front) -> None:
    front.start("--log-level", "debug")
    with front.open() as gone:
        gone.sendall(front.wire("/stream?n=10000&s=0.001"))
        assert gone.recv(10)
    front.server.wait_log("lost client")
    assert front.ask("/hello").status == 200


def test_a_client_that_breaks_off_is_no_whole_request(front: Front) -> None:
    front.start("--log-level", "debug", "--body-buffer", "10")
    wire = front.wire("/echo", "POST", body=b"x" * 100)
    with front.open() as broken:
        broken.sendall(wire[:-60])
        broken.shutdown(socket.SHUT_WR)
        assert front.read_answer(broken).status == 400
    with front.open() as gone:
        gone.sendall(wire[:30])
    front.server.wait_log("left in mid-head")
    with front.open():
        pass  # a connection and not a word, as Apache has them
    assert front.ask("/hello").status == 200
    assert "Traceback" not in front.server.log


def test_what_is_malformed_is_answered_and_an_operator_is_told(front: Front) -> None:
    front.start("--access-logfile", "-")
    with front.open() as bad:
        bad.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert front.read_answer(bad).status in (400, 501)
    front.server.wait_log("warning refused request .*status=[45]0[01]")
    assert front.ask("/hello").status == 200
    assert "Traceback" not in front.server.log


def test_a_body_that_is_too_long_is_the_clients_fault(front: Front) -> None:
    front.start("--max-body", "10", "--access-logfile", "-")
    assert front.ask("/echo", "POST", body=b"x" * 11).status == 413
    front.server.wait_log('"POST /echo HTTP/1.1" 413')
    assert "warning" not in front.server.log


def test_a_front_end_may_send_no_more_than_the_limits(front: Front) -> None:
    front.start("--limit-variables", "20", "--limit-variables-size", "1000")
    assert front.ask("/hello").status == 200
    many = [(f"X-{n}", "y") for n in range(20)]
    assert front.ask("/hello", headers=many).status == 431
    assert front.ask("/hello", headers=[("X", "y" * 1000)]).status == 431
    assert front.server.wait_log("too many variables")
    assert front.server.wait_log("too long")


def test_a_stop_answers_what_was_sent(front: Front) -> None:
    front.start()
    with front.open() as busy, front.open() as silent:
        busy.sendall(front.wire("/sleep?s=0.5&say=sleeping"))
        front.server.wait_log("sleeping")
        front.server.signal(15)
        assert front.read_answer(busy).body == b"slept\n"
        assert eventually(lambda: silent.recv(1) == b"")
    assert front.server.wait() == 0


@pytest.mark.parametrize("more", [b"\0\0\0", b"\5\0\0hello", b"\0\0\1"])
def test_uwsgi_answers_a_ping_and_closes(server: Server, more: bytes) -> None:
    """As uWSGI does, whatever it carries."""
    front = Front(server, "uwsgi").start()
    with front.open() as pinging:
        pinging.sendall(b"\x64" + more)
        assert read_all(pinging) == b"\x64\0\0\1"
    assert front.ask("/hello").status == 200


@pytest.mark.parametrize("protocol", ["http", *FIRST_LINES])
def test_the_script_name_is_the_operators(server: Server, protocol: str) -> None:
    """Behaviour of `--script-name`: whether the front end cuts it off or not."""
    path = str(server.directory / "app.sock")
    server.start("-w", "1", "--script-name", "/\xe9", bind=f"{protocol}+unix:{path}")
    front = Front(server, protocol)
    for target in ("/%C3%A9/environ?a", "/environ?a"):
        with front.open() as connection:
            connection.sendall(front.wire(target))
            answer = read_all(connection)
        assert rb"SCRIPT_NAME='/\xc3\xa9'".decode("unicode_escape") in answer.decode()
        assert b"PATH_INFO='/environ'" in answer
        assert b"REQUEST_URI='%b'" % target.encode() in answer
    assert server.stop() == 0


def test_a_script_name_that_is_none_is_refused(server: Server) -> None:
    for wrong in ("app", "/app/", "/"):
        server.start("--script-name", wrong, wait=False)
        assert server.wait() == 78
    assert server.log.count("--script-name") == 3
