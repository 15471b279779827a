"""A server that speaks AJP13, asked byte for byte as a front end would."""

import hashlib
import select
import socket
import time
from collections.abc import Callable

import pytest
from serving import Server, ajp

pytestmark = pytest.mark.process

MEGABYTE = bytes(range(256)) * 4096
POST = {"method": ajp.POST}

Start = Callable[..., Callable[[], ajp.Wire]]


@pytest.fixture
def start(server: Server) -> Start:
    """Start a server with one worker; return what connects to it."""

    def start(*arguments: str, **more: object) -> Callable[[], ajp.Wire]:
        server.start("-w", "1", *arguments, bind="ajp+unix:app.sock", **more)  # type: ignore[arg-type]
        return connect

    def connect() -> ajp.Wire:
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(20)
        connection.connect(str(server.directory / "app.sock"))
        return ajp.Wire(connection)

    return start


def sized(size: int) -> tuple[str, str]:
    return ("Content-Length", str(size))


CHUNKED = ("Transfer-Encoding", "chunked")


def query(text: str) -> dict[str, bytes]:
    return {"attributes": ajp.PORT + ajp.coded(0x05, text)}


# ---- requests and answers


def test_one_connection_carries_many_requests(start: Start) -> None:
    with start("--access-logfile", "-")() as wire:
        for _ in range(3):
            answer = wire.ask(ajp.forward("/"))
            assert (answer.status, answer.reason) == (200, "OK")
            assert (answer.body, answer.reuse) == (b"hello\n", True)
        head = wire.ask(ajp.forward("/", method=ajp.HEAD))
        assert ("content-length", "6") in head.headers
        assert (head.body, head.reuse) == (b"", True)
        form = wire.ask(ajp.forward("/echo", sized(4), **POST), ajp.body(b"form"))
        assert (form.body, form.reuse, form.asked) == (b"form", True, [])


@pytest.mark.parametrize("code", ["204", "304"])
def test_what_has_no_body_gets_none(start: Start, code: str) -> None:
    with start(app="wire:wsgi")() as wire:
        for _ in range(2):
            answer = wire.ask(ajp.forward("/status", **query(f"code={code}")))
            assert answer.status == int(code)
            assert (answer.body, answer.reuse) == (b"", True)


def test_the_application_sees_the_front_ends_client(start: Start) -> None:
    with start()() as wire:
        seen = wire.ask(ajp.forward("/environ", is_ssl=True)).body.decode()
    for line in (
        "REMOTE_ADDR='192.0.2.7'",
        "REMOTE_PORT='40000'",
        "SERVER_NAME='www.example.org'",
        "wsgi.url_scheme='https'",
        "wsgi.input_terminated=True",
    ):
        assert line in seen.splitlines()


def test_a_large_answer_arrives(start: Start) -> None:
    with start()() as wire:
        answer = wire.ask(ajp.forward("/big"))
        assert answer.body == b"x" * (10 << 20)
        assert wire.ask(ajp.forward("/")).body == b"hello\n"


def test_requests_may_come_ahead_of_their_answers(start: Start) -> None:
    with start()() as wire:
        wire.send(
            ajp.forward("/"),
            ajp.CPING,
            ajp.forward("/echo", sized(3), **POST),
            ajp.body(b"two"),
            ajp.EMPTY,
            ajp.forward("/"),
        )
        assert wire.read_answer().body == b"hello\n"
        assert wire.read_packet() == (9, b"")
        assert wire.read_answer().body == b"two"
        assert wire.read_answer().body == b"hello\n"


# ---- bodies


@pytest.mark.parametrize("size", [8186, 8187, 65536, 1 << 20])
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_large_upload_is_asked_for(start: Start, size: int, framing: str) -> None:
    body = MEGABYTE[:size]
    digest = hashlib.md5(body).hexdigest().encode()
    connect = start()
    with connect() as wire:
        for _ in range(2):
            if framing == "length":
                wire.send(ajp.forward("/digest", sized(size), **POST))
                wire.send(ajp.body(body[:8186]))
                answer = wire.read_answer(body[8186:])
            else:
                answer = wire.ask(ajp.forward("/digest", CHUNKED, **POST), upload=body)
            assert (answer.body, answer.reuse) == (digest, True)


def test_a_packet_that_comes_in_two_parts_is_not_waited_for(server: Server) -> None:
    """lighttpd's do, and over TCP the second part leaves when its kernel knows that
    the first has arrived."""
    server.start("-w", "1", bind="ajp://127.0.0.1:0")
    port = int(server.log.partition("listening on=ajp://127.0.0.1:")[2].split()[0])

    def upload() -> float:
        began = time.monotonic()
        with ajp.Wire(socket.create_connection(("127.0.0.1", port), 20)) as wire:
            wire.send(ajp.forward("/digest", sized(len(MEGABYTE)), **POST))
            for at in range(0, len(MEGABYTE), 8186):
                packet = ajp.body(MEGABYTE[at : at + 8186])
                wire.send(packet[:4])
                wire.send(packet[4:])
                code, _ = wire.read_packet() or (0, b"")
                assert code == (6 if at + 8186 < len(MEGABYTE) else 4)
        return time.monotonic() - began

    # 129 times 40 ms, otherwise; a busy machine takes its time as well, now and then.
    assert any(upload() < 3 for _ in range(3))


def test_a_body_that_dribbles_holds_no_worker(start: Start) -> None:
    connect = start()
    with connect() as slow, connect() as other:
        slow.send(ajp.forward("/echo", CHUNKED, **POST))
        for piece in (b"dribble", b"dribble"):
            assert slow.read_packet() == (6, b"\x1f\xfa")
            assert other.ask(ajp.forward("/")).body == b"hello\n"
            slow.send(ajp.body(piece))
        answer = slow.read_answer(b"")
        assert (answer.body, answer.reuse) == (b"dribble" * 2, True)


def test_an_answer_may_begin_before_the_body_is_read(start: Start) -> None:
    """It is asked for between the packets of the answer."""
    body = MEGABYTE[:100_000]
    with start(app="wire:wsgi")() as wire:
        wire.send(ajp.forward("/late-read", sized(len(body)), **POST))
        wire.send(ajp.body(body[:8186]))
        answer = wire.read_answer(body[8186:])
        assert answer.body == b"begun\n" + body


def test_a_body_that_nobody_reads_ends_the_connection(start: Start) -> None:
    """What is left of it must not be taken for the next request."""
    connect = start()
    with connect() as wire:
        wire.send(ajp.forward("/ignore", sized(1 << 20), **POST))
        wire.send(ajp.body(MEGABYTE[:8186]))
        answer = wire.read_answer(MEGABYTE[8186:])
        assert (answer.status, answer.reuse) == (403, False)
        wire.send(ajp.forward("/"))
        assert wire.is_ended()


def test_a_request_in_the_place_of_a_body_is_refused(start: Start) -> None:
    with start()() as wire:
        wire.send(ajp.forward("/echo", sized(1000), **POST), ajp.forward("/"))
        answer = wire.read_answer()
        assert (answer.status, answer.reuse) == (400, False)
        assert wire.is_ended()


def test_a_body_that_breaks_off_is_never_taken_for_whole(
    start: Start, server: Server
) -> None:
    connect = start(app="wire:wsgi")
    with connect() as wire:
        wire.send(ajp.forward("/read", sized(1 << 20), **POST))
        for at in range(0, 80_000, 8000):
            wire.send(ajp.body(MEGABYTE[at : at + 8000]))
            assert wire.read_packet() == (6, b"\x1f\xfa")
    server.wait_log("read failed")
    assert "read everything" not in server.log
    with connect() as wire:
        assert (
            wire.ask(ajp.forward("/length", **query("says=3&gives=3"))).body == b"123"
        )


# ---- trouble


def test_an_error_of_the_application_is_an_answer(start: Start) -> None:
    with start()() as wire:
        answer = wire.ask(ajp.forward("/fail"))
        assert (answer.status, answer.reuse) == (500, True)
        assert b"Traceback" not in answer.body
        assert wire.ask(ajp.forward("/")).status == 200


def test_an_error_in_the_middle_breaks_the_answer_off(start: Start) -> None:
    with start()() as wire:
        answer = wire.ask(ajp.forward("/fail-late"))
        assert (answer.body, answer.reuse) == (b"so far so good\n", None)
        assert wire.is_ended()


def test_an_answer_that_is_too_short_breaks_off(start: Start) -> None:
    with start(app="wire:wsgi")() as wire:
        answer = wire.ask(ajp.forward("/length", **query("says=9&gives=3")))
        assert (answer.body, answer.reuse) == (b"123", None)


@pytest.mark.parametrize(
    ("wire", "status", "reason"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400, "not a packet of AJP13"),
        (ajp.packet(b"\x0b"), 400, "unknown type of a packet"),
        (ajp.packet(ajp.payload("/")[:-1]), 400, "ends too early"),
        (ajp.forward("/", ("Content-Length", "2000")), 413, "body too long"),
    ],
    ids=["http", "code", "cut", "large"],
)
def test_what_is_malformed_is_answered_and_logged(
    start: Start, server: Server, wire: bytes, status: int, reason: str
) -> None:
    connect = start("--log-level", "debug", "--max-body", "1000")
    with connect() as visitor:
        answer = visitor.ask(wire)
        assert (answer.status, answer.reuse) == (status, False)
        assert visitor.is_ended()
    server.wait_log(f"refused request .*{reason}")
    assert "Traceback" not in server.log


def test_a_client_that_leaves_harms_nobody(start: Start, server: Server) -> None:
    connect = start()
    for parts in ([], [ajp.CPING], [ajp.forward("/")[:50]], [ajp.forward("/big")]):
        with connect() as wire:
            wire.send(*parts)
    with connect() as wire:
        assert wire.ask(ajp.forward("/")).body == b"hello\n"
    assert "Traceback" not in server.log
    assert "lost worker" not in server.log


# ---- between requests


def test_a_cping_is_answered_at_any_time_but_during_a_request(start: Start) -> None:
    with start()() as wire:
        for _ in range(2):
            wire.send(ajp.CPING)
            assert wire.read_packet() == (9, b"")
            assert wire.ask(ajp.forward("/")).reuse


def test_a_shutdown_packet_is_ignored(start: Start, server: Server) -> None:
    with start()() as wire:
        wire.send(ajp.SHUTDOWN)
        assert wire.ask(ajp.forward("/")).body == b"hello\n"
    assert len(server.workers()) == 1


def test_an_idle_connection_is_a_front_ends_to_keep(start: Start) -> None:
    """Longer than a browser's: a POST on one that is being closed is lost."""
    with start("--keep-alive", "0.1", "--frontend-keep-alive", "60")() as wire:
        wire.ask(ajp.forward("/"))
        assert not is_readable(wire, seconds=1.0)
        assert wire.ask(ajp.forward("/")).reuse


def test_but_not_for_ever(start: Start) -> None:
    with start("--frontend-keep-alive", "0.1")() as wire:
        wire.ask(ajp.forward("/"))
        assert wire.is_ended()


def test_it_may_not_be_kept_at_all(start: Start) -> None:
    with start("--frontend-keep-alive", "0")() as wire:
        assert wire.ask(ajp.forward("/")).reuse is False
        assert wire.is_ended()


def test_more_connections_than_workers_are_no_trouble(start: Start) -> None:
    """Idle ones wait in the lobby, where they are nobody's burden."""
    connect = start()
    wires = [connect() for _ in range(20)]
    for wire in [*wires, *reversed(wires)]:
        assert wire.ask(ajp.forward("/")).body == b"hello\n"
    for wire in wires:
        wire.socket.close()


def test_idle_connections_do_not_hold_up_a_stop(start: Start, server: Server) -> None:
    """Flup 1.0.3 waits for them, for as long as they like."""
    connect = start()
    with connect() as kept, connect() as silent:
        assert kept.ask(ajp.forward("/")).reuse
        before = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - before < 10
        assert kept.is_ended()
        assert silent.is_ended()


# ---- the secret


def test_only_who_knows_the_secret_is_served(start: Start, server: Server) -> None:
    connect = start("--log-level", "debug", env={"PREFORK_AJP_SECRET": "s3cr3t"})
    for said in (b"", ajp.coded(ajp.SECRET, "wrong")):
        with connect() as wire:
            answer = wire.ask(ajp.forward("/", attributes=ajp.PORT + said))
            assert (answer.status, answer.reuse) == (403, False)
            assert wire.is_ended()
    with connect() as wire:
        known = ajp.PORT + ajp.coded(ajp.SECRET, "s3cr3t")
        for _ in range(2):
            assert wire.ask(ajp.forward("/", attributes=known)).status == 200
    server.wait_log("refused request .*secret")
    assert "s3cr3t" not in server.log


def is_readable(wire: ajp.Wire, *, seconds: float) -> bool:
    return bool(select.select([wire.socket], [], [], seconds)[0])
