"""A real server that speaks FastCGI on a unix socket."""

import hashlib
import os
import select
import socket
from collections.abc import Callable, Iterator

import pytest
from serving import Server
from serving.eventually import eventually
from serving.fastcgi import (
    Answer,
    Wire,
    begin,
    connect,
    get,
    params,
    post,
    record,
    stream,
)

from prefork.protocols import fastcgi_records as wire

pytestmark = pytest.mark.process

Open = Callable[[], Wire]
BODY = os.urandom(1 << 20)


class FrontEnd:
    """A web server in front of one server."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.path = str(server.directory / "app.sock")

    def start(self, *arguments: str, workers: int = 1, **options: str) -> "FrontEnd":
        self.server.start(
            "-w", str(workers), *arguments, bind=f"fastcgi+unix:{self.path}", **options
        )
        return self

    def open(self) -> Wire:
        return connect(self.path)

    def ask(self, request: bytes) -> Answer:
        """One request over a connection of its own, which is closed after it."""
        with self.open() as wire_:
            wire_.send(request)
            answer = wire_.read_answer()
            assert wire_.read_record() is None
            return answer


@pytest.fixture
def front(server: Server) -> Iterator[FrontEnd]:
    yield FrontEnd(server)
    if server.process is not None and server.process.poll() is None:
        assert server.stop() == 0


def test_usual_requests_are_answered(front: FrontEnd) -> None:
    front.start()
    answer = front.ask(get("/hello"))
    assert (answer.status, answer.body) == (200, b"hello\n")
    assert (answer.application, answer.protocol) == (0, wire.REQUEST_COMPLETE)
    assert front.ask(post("/echo", b"a=b")).body == b"a=b"
    head = front.ask(get("/hello", REQUEST_METHOD="HEAD"))
    assert head.headers["content-length"] == "6" and not head.body
    for code in (204, 304):
        bare = front.ask(get(f"/status?code={code}"))
        assert bare.status == code and not bare.body
    streamed = front.ask(get("/stream?n=3"))
    assert streamed.body == b"chunk 0\nchunk 1\nchunk 2\n"
    big = front.ask(get("/big?size=5000000"))
    assert big.body == b"x" * 5_000_000


def test_a_file_is_sent_in_records(front: FrontEnd) -> None:
    front.start()
    answer = front.ask(get(f"/file?path={__file__}"))
    with open(__file__, "rb") as file:
        assert answer.body == file.read()


def test_a_large_body_arrives_whole_at_any_size_of_records(front: FrontEnd) -> None:
    front.start()
    digest = hashlib.md5(BODY).hexdigest().encode()
    for size in (65535, 8192, 999):
        start = begin(REQUEST_METHOD="POST", REQUEST_URI="/digest")
        answer = front.ask(start + stream(wire.STDIN, BODY, size=size))
        assert answer.body == digest


def test_a_body_that_comes_slowly_holds_up_nobody(front: FrontEnd) -> None:
    front.start()
    with front.open() as slow:
        data = post("/echo", b"slowly")
        slow.send(data[:-20])
        assert front.ask(get("/hello")).status == 200
        for at in range(len(data) - 20, len(data)):
            slow.send(data[at : at + 1])
        assert slow.read_answer().body == b"slowly"


def test_a_connection_is_kept_where_that_is_wanted(front: FrontEnd) -> None:
    front.start()
    with front.open() as kept:
        for number in (1, 3, 5):
            kept.send(post("/echo", b"%d" % number, number=number, keep=True))
            assert kept.read_answer(number=number).body == b"%d" % number
        kept.send(get("/hello", number=7))
        assert kept.read_answer(number=7).status == 200
        assert kept.read_record() is None


def test_more_connections_are_kept_than_there_are_workers(front: FrontEnd) -> None:
    """php-fpm's workers each wait on one, and its other clients for them."""
    front.start()
    kept = [front.open() for _ in range(8)]
    for _ in range(2):
        for each in kept:
            each.send(get("/hello", keep=True))
            assert each.read_answer().status == 200
    for each in kept:
        each.__exit__()


def test_whole_requests_in_one_piece_are_answered_in_their_order(
    front: FrontEnd,
) -> None:
    front.start()
    with front.open() as kept:
        kept.send(
            *(post("/echo", b"%d" % n, number=n, keep=True) for n in (1, 2, 3)),
            get("/hello", number=4),
        )
        for number in (1, 2, 3):
            assert kept.read_answer(number=number).body == b"%d" % number
        assert kept.read_answer(number=4).body == b"hello\n"
        assert kept.read_record() is None


def test_a_second_request_is_declined_while_the_first_uploads(front: FrontEnd) -> None:
    front.start()
    with front.open() as mixed:
        first = post("/echo", b"first", keep=True)
        mixed.send(first[:-8], get("/hello", number=2, keep=True))
        declined = mixed.read_answer(number=2)
        assert declined.protocol == wire.CANT_MPX_CONN
        mixed.send(first[-8:])
        assert mixed.read_answer().body == b"first"


def test_values_are_those_of_the_server(front: FrontEnd) -> None:
    front.start(workers=2)
    asked = params(FCGI_MAX_CONNS="", FCGI_MAX_REQS="", FCGI_MPXS_CONNS="")
    with front.open() as asking:
        asking.send(record(wire.GET_VALUES, asked, number=0))
        found = asking.read_record()
        assert found and found[:2] == (wire.GET_VALUES_RESULT, 0)
        assert [value for _, value in wire.parse_pairs(found[2])] == ["2", "2", "0"]
        asking.send(record(wire.GET_VALUES, asked, number=0), get("/hello"))
        assert asking.read_record() == found
        assert asking.read_answer().body == b"hello\n"


def test_all_three_roles_reach_the_application(front: FrontEnd) -> None:
    front.start()
    authorizer = begin(role=wire.AUTHORIZER, REQUEST_URI="/environ")
    assert b"FCGI_ROLE='AUTHORIZER'\n" in front.ask(authorizer).body
    start = begin(
        role=wire.FILTER,
        REQUEST_METHOD="POST",
        REQUEST_URI="/echo",
        CONTENT_LENGTH="3",
        FCGI_DATA_LENGTH="4",
    )
    data = start + stream(wire.STDIN, b"one") + stream(wire.DATA, b"file")
    assert front.ask(data).body == b"onefile"


@pytest.mark.parametrize("role", [wire.RESPONDER, wire.AUTHORIZER])
def test_an_end_of_stdin_that_is_not_waited_for_may_come_late(
    front: FrontEnd, role: int
) -> None:
    """Who sends it on a closed connection would lose its answer to a reset."""
    front.start()
    with front.open() as wire_:
        wire_.send(begin(role=role, REQUEST_URI="/hello", CONTENT_LENGTH="0"))
        assert wire_.read_answer().body == b"hello\n"
        wire_.send(stream(wire.STDIN))
        assert wire_.read_record() is None


def test_an_application_that_fails_is_told_in_the_protocol(front: FrontEnd) -> None:
    """No traceback leaves the server."""
    front.start()
    answer = front.ask(get("/fail"))
    assert (answer.status, answer.application) == (500, 1)
    assert answer.errors == b"application failed: RuntimeError\n"
    assert b"Traceback" not in answer.output
    with front.open() as cut:
        cut.send(get("/fail-late"))
        answer = cut.read_answer()
        assert answer.status == 200 and answer.protocol == -1
    front.server.wait_log("failed on purpose, late")
    assert front.ask(get("/hello")).status == 200


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (begin(CONTENT_LENGTH="x"), "malformed CONTENT_LENGTH"),
        (get()[:16] + b"GET / HTTP/1.1\r\n\r\n", "not FastCGI 1"),
        (
            begin(CONTENT_LENGTH="9") + stream(wire.STDIN, b"short"),
            "STDIN shorter than was announced",
        ),
    ],
)
def test_what_is_malformed_is_answered_and_logged(
    front: FrontEnd, request_: bytes, reason: str
) -> None:
    front.start("--log-level", "debug", "--access-logfile", "-")
    with front.open() as bad:
        bad.send(request_)
        answer = bad.read_answer()
        assert (answer.status, answer.body) == (400, b"400 Bad Request\n")
        assert bad.read_record() is None
    front.server.wait_log(f'refused request .*reason="{reason}" status=400')
    assert "Traceback" not in front.server.log


def test_a_client_that_breaks_off_is_no_whole_request(front: FrontEnd) -> None:
    front.start("--log-level", "debug", "--body-buffer", "10")
    with front.open() as broken:
        broken.send(post("/echo", b"x" * 100)[:-60])
        broken.socket.shutdown(socket.SHUT_WR)
        assert broken.read_answer().status == 400
    with front.open() as gone:
        gone.send(get("/hello")[:-8])
    with front.open():
        pass  # a connection and not a word, as Apache has them
    front.server.wait_log("left in mid-body")
    assert front.ask(get("/hello")).status == 200
    assert "Traceback" not in front.server.log


def test_an_abort_ends_a_request_that_is_not_whole(front: FrontEnd) -> None:
    front.start()
    with front.open() as aborting:
        aborting.send(post("/echo", b"body", keep=True)[:-8])
        aborting.send(record(wire.ABORT_REQUEST))
        answer = aborting.read_answer()
        assert (answer.output, answer.protocol) == (b"", wire.REQUEST_COMPLETE)


def test_a_body_that_nobody_read_is_never_taken_for_a_request(front: FrontEnd) -> None:
    """It is framed, and of a request that is over."""
    front.start("--body-buffer", "1000", "--access-logfile", "-")
    smuggled = get("/smuggled", keep=True) * 3000
    with front.open() as kept:
        start = begin(REQUEST_METHOD="POST", REQUEST_URI="/ignore", keep=True)
        kept.send(start, stream(wire.STDIN, smuggled)[:-8])
        answer = kept.read_answer()
        assert (answer.status, answer.body) == (403, b"not read\n")
        kept.send(stream(wire.STDIN))
        kept.send(get("/hello", keep=True))
        assert kept.read_answer().body == b"hello\n"
    assert front.ask(get("/hello")).status == 200
    assert "smuggled" not in front.server.log


def test_a_peer_that_does_not_close_holds_up_nobody(front: FrontEnd) -> None:
    """flup 1.0.3 reads to the end of the connection, however long that takes."""
    front.start("--body-buffer", "1000")
    with front.open() as silent, front.open() as unread:
        silent.send(get("/hello"))
        assert silent.read_answer().status == 200
        unread.send(begin(REQUEST_METHOD="POST", REQUEST_URI="/ignore"))
        unread.send(stream(wire.STDIN, b"x" * 100_000)[:-8])
        assert unread.read_answer().status == 403
        assert front.ask(get("/hello")).status == 200


def test_a_client_that_is_gone_ends_its_answer(front: FrontEnd) -> None:
    front.start("--log-level", "debug")
    with front.open() as gone:
        gone.send(get("/stream?n=10000&s=0.001"))
        assert gone.read_record()
    front.server.wait_log("lost client")
    assert front.ask(get("/hello")).status == 200


def test_errors_reach_the_web_server_if_that_is_wanted(front: FrontEnd) -> None:
    front.start("--frontend-errors")
    answer = front.ask(get("/hello?say=a+word"))
    assert (answer.errors, answer.status) == (b"a word\n", 200)
    front.server.wait_log("^a word$|a word")
    with front.open() as kept:
        for number in (1, 2):
            kept.send(get("/hello?say=again", number=number, keep=True))
            assert kept.read_answer(number=number).errors == b"again\n"


def test_errors_stay_here_otherwise(front: FrontEnd) -> None:
    front.start()
    assert front.ask(get("/hello?say=a+word")).errors == b""


def test_only_named_web_servers_are_heard(server: Server) -> None:
    """A unix socket has no address, so it is not among them."""
    path = str(server.directory / "app.sock")
    server.start(
        *("-w", "1", "-b", f"fastcgi+unix:{path}", "-b", "fastcgi://127.0.0.1:0"),
        bind=None,
        env={"FCGI_WEB_SERVER_ADDRS": "192.0.2.1,127.0.0.1"},
    )
    with connect(path) as unheard:
        assert unheard.read_record() is None
    server.wait_log("closed connection.* is not in FCGI_WEB_SERVER_ADDRS")
    port = int(server.wait_log(r"fastcgi://127.0.0.1:(\d+)")[1])
    with Wire(socket.create_connection(("127.0.0.1", port), 10)) as heard:
        heard.send(get("/hello"))
        assert heard.read_answer().body == b"hello\n"
    assert server.stop() == 0


def test_a_stop_answers_what_was_sent_and_closes_what_is_idle(front: FrontEnd) -> None:
    front.start("--frontend-keep-alive", "60")
    with front.open() as idle, front.open() as busy:
        idle.send(get("/hello", keep=True))
        assert idle.read_answer().status == 200
        busy.send(get("/sleep?s=0.5&say=sleeping", keep=True))
        front.server.wait_log("sleeping")
        front.server.signal(15)
        assert busy.read_answer().body == b"slept\n"
        eventually(lambda: select.select([idle.socket], [], [], 0)[0], within=10)
        assert idle.read_record() is None
    assert front.server.wait() == 0
