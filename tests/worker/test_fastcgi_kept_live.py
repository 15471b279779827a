"""FastCGI connections that go on after a request that did not come to its end."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest
from serving import Server, eventually
from serving.fastcgi import Wire, begin, connect, get, params, post, record, stream

from prefork.protocols import fastcgi_records as wire

pytestmark = pytest.mark.process

Start = Callable[..., Callable[[], Wire]]
ABORT = record(wire.ABORT_REQUEST)
UPLOAD = begin(keep=True, REQUEST_METHOD="POST", REQUEST_URI="/ignore")


@pytest.fixture
def start(server: Server) -> Iterator[Start]:
    """Start one worker, and return what connects to it."""
    path = str(server.directory / "app.sock")

    def start(*arguments: str, **options: str) -> Callable[[], Wire]:
        server.start("-w", "1", *arguments, bind=f"fastcgi+unix:{path}", **options)
        return lambda: connect(path)

    yield start
    if server.process is not None and server.process.poll() is None:
        assert server.stop() == 0


def say_hello(kept: Wire) -> None:
    kept.send(get("/hello", keep=True))
    assert kept.read_answer().body == b"hello\n"


def hold(server: Server) -> str:
    """What asks for an answer that comes when we release() it, but not too soon: an
    abort is looked for once in half a second."""
    return f"/hold?s=0.6&say=holding&until={server.directory}/released"


def release(server: Server) -> None:
    (server.directory / "released").touch()


# ---- a body that is left


@pytest.mark.parametrize("cut", [1, 8, 100, 70_000])
def test_the_rest_of_a_body_may_come_after_the_answer(start: Start, cut: int) -> None:
    connect = start("--body-buffer", "1000")
    body = stream(wire.STDIN, get("/smuggled", keep=True) * 2000, size=9999)
    with connect() as kept:
        for _ in range(2):
            kept.send(UPLOAD, body[:-cut])
            answer = kept.read_answer()
            assert (answer.status, answer.body) == (403, b"not read\n")
            kept.send(body[-cut:])
            say_hello(kept)


def test_the_rest_of_a_body_need_not_come(start: Start) -> None:
    """Apache goes on with the next request where it hears of an answer."""
    connect = start("--body-buffer", "1000")
    with connect() as kept:
        for _ in range(3):
            kept.send(UPLOAD, record(wire.STDIN, b"x" * 8192) * 4)
            assert kept.read_answer().status == 403
            say_hello(kept)


def test_a_body_that_is_left_keeps_no_worker_and_is_no_broken_request(
    start: Start, server: Server
) -> None:
    connect = start("--body-buffer", "1000", "--access-logfile", "-")
    with connect() as other:
        with connect() as kept:
            kept.send(UPLOAD, record(wire.STDIN, b"x" * 60_000)[:30_000])
            assert kept.read_answer().status == 403
            kept.send(b"x" * 100)
            say_hello(other)
        say_hello(other)
    assert "mid-" not in server.log and "refused" not in server.log


def test_a_body_that_is_too_long_ends_the_connection(
    start: Start, server: Server
) -> None:
    connect = start(
        "--body-buffer", "10", "--max-body", "20000", "--log-level", "debug"
    )
    with connect() as kept:
        kept.send(UPLOAD, record(wire.STDIN, b"x" * 10_000))
        assert kept.read_answer().status == 403
        kept.send(record(wire.STDIN, b"x" * 10_000) * 3)
        assert kept.read_record() is None
    server.wait_log("refused request .*too much .*status=413")


def test_an_application_may_read_on_after_its_answer_has_begun(start: Start) -> None:
    connect = start("--body-buffer", "1", app="wire:wsgi")
    with connect() as kept:
        kept.send(begin(keep=True, REQUEST_METHOD="POST", REQUEST_URI="/late-read"))
        kept.send(record(wire.STDIN, b"one "))
        assert kept.read_record()
        kept.send(stream(wire.STDIN, b"two"))
        assert kept.read_answer().output == b"one two"


# ---- an abort


def test_an_abort_in_the_body_ends_the_request_alone(
    start: Start, server: Server
) -> None:
    connect = start("--log-level", "debug")
    with connect() as kept:
        for _ in range(2):
            kept.send(post("/echo", b"body", keep=True)[:-8], ABORT)
            answer = kept.read_answer()
            assert (answer.output, answer.protocol) == (b"", wire.REQUEST_COMPLETE)
            say_hello(kept)
    server.wait_log("refused request .*aborted")


def test_an_abort_while_the_application_reads_ends_its_request(
    start: Start, server: Server
) -> None:
    connect = start("--body-buffer", "10", "--log-level", "debug")
    with connect() as kept:
        kept.send(
            begin(keep=True, REQUEST_METHOD="POST", REQUEST_URI="/count?say=reading")
        )
        kept.send(record(wire.STDIN, b"x" * 100))
        server.wait_log("(?m)^reading$")
        kept.send(ABORT, get("/hello", keep=True))
        answer = kept.read_answer()
        assert (answer.output, answer.protocol) == (b"", wire.REQUEST_COMPLETE)
        assert kept.read_answer().body == b"hello\n"
    server.wait_log("lost client .*aborted")


def test_an_abort_while_the_application_works_is_seen_before_its_answer(
    start: Start, server: Server
) -> None:
    connect = start("--access-logfile", "-")
    with connect() as kept:
        kept.send(get(hold(server), keep=True))
        server.wait_log("holding")
        kept.send(ABORT)
        release(server)
        answer = kept.read_answer()
        assert (answer.output, answer.protocol) == (b"", wire.REQUEST_COMPLETE)
        say_hello(kept)
    server.wait_log('"GET /hold[^"]*" 400 -')


@pytest.mark.parametrize("keep", [False, True])
def test_who_aborts_hears_of_the_end_and_of_no_reset(
    start: Start, server: Server, keep: bool
) -> None:
    connect = start()
    with connect() as aborting:
        aborting.send(post(hold(server), b"x", keep=keep))
        server.wait_log("holding")
        aborting.send(ABORT)
        release(server)
        assert aborting.read_answer().protocol == wire.REQUEST_COMPLETE
        aborting.socket.shutdown(socket.SHUT_WR)
        assert aborting.read_record() is None


def test_an_abort_ends_a_long_answer_in_the_middle(start: Start) -> None:
    connect = start()
    with connect() as kept:
        kept.send(get("/stream?n=100000&s=0.01", keep=True))
        assert kept.read_record()
        kept.send(ABORT)
        assert kept.read_answer().protocol == wire.REQUEST_COMPLETE
        say_hello(kept)


def test_what_is_said_ahead_of_its_time_is_no_abort(start: Start) -> None:
    values = record(wire.GET_VALUES, params(FCGI_MPXS_CONNS=""), number=0)
    connect = start()
    with connect() as kept:
        kept.send(get("/stream?n=3&s=0.4", keep=True))
        kept.send(values, get("/hello", number=2, keep=True))
        assert kept.read_answer().body.endswith(b"chunk 2\n")
        assert kept.read_answer(number=2).body == b"hello\n"


def test_an_abort_ends_the_program_of_a_request(server: Server) -> None:
    """As a client that leaves; the connection goes on."""
    directory = server.directory
    program = directory / "a.cgi"
    program.write_text(f"#!/bin/sh\necho $$ > {directory}/pid\nexec sleep 60\n")
    program.chmod(0o755)
    path = str(directory / "app.sock")
    where = {"bind": f"fastcgi+unix:{path}", "program": "prefork.cli.cgi"}
    server.start("-w", "1", app=str(program), **where)
    pid = directory / "pid"
    with connect(path) as kept:
        for _ in range(2):
            kept.send(get("/", keep=True))
            eventually(lambda: pid.exists() and pid.read_text())
            kept.send(ABORT)
            answer = kept.read_answer()
            assert (answer.output, answer.protocol) == (b"", wire.REQUEST_COMPLETE)
            number = pid.read_text().strip()
            eventually(lambda number=number: not os.path.exists(f"/proc/{number}"))
            pid.unlink()
    assert server.stop() == 0
