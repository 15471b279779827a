"""Bodies of requests on the wire: arriving late, in chunks, or not at all."""

import socket
import threading
import time
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.wire import Wire

pytestmark = pytest.mark.process

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
MEGABYTE = bytes(range(256)) * 4096


def post(target: str, *headers: str) -> bytes:
    lines = [f"POST {target} HTTP/1.1", "Host: test", *headers, "", ""]
    return "\r\n".join(lines).encode()


def in_chunks(data: bytes, size: int) -> bytes:
    pieces = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"


# ---- bodies that nobody wants


def test_who_sends_all_before_reading_gets_an_answer_that_did_not_wait_for_it(
    server: Server, tmp_path: Path
) -> None:
    """As Apache does; neither end of a unix socket holds that much."""
    server.start("-w", "1", "-b", f"unix:{tmp_path}/app.sock")
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(10)
    client.connect(f"{tmp_path}/app.sock")
    with Wire(client) as wire:
        wire.send(post("/big?size=900000", f"Content-Length: {12 << 20}"))
        for _ in range(12):
            wire.send(MEGABYTE)
        answer = wire.read_answer()
    assert len(answer.body) == 900_000


# ---- whole bodies


@pytest.mark.parametrize("size", [1, 100, 65535, 65536, 65537, 1 << 20])
@pytest.mark.parametrize("buffer", ["0", "65536"])
def test_a_body_of_any_size_arrives_as_it_was_sent(
    server: Server, size: int, buffer: str
) -> None:
    server.start("-w", "1", "--body-buffer", buffer)
    with Wire(server.connect()) as wire:
        for _ in range(2):
            wire.send(post("/echo", f"Content-Length: {size}"), MEGABYTE[:size])
            assert wire.read_answer().body == MEGABYTE[:size]
        for piece in (1, 1000, 100000) if size < 1000 else (1000, 100000):
            wire.send(post("/echo", "Transfer-Encoding: chunked"))
            wire.send(in_chunks(MEGABYTE[:size], piece))
            assert wire.read_answer().body == MEGABYTE[:size]


def test_trailers_are_read_and_dropped(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        for _ in range(2):
            wire.send(post("/echo", "Transfer-Encoding: chunked"))
            wire.send(b"4\r\nbody\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n")
            assert wire.read_answer().body == b"body"


def test_a_body_that_dribbles_holds_no_worker(server: Server) -> None:
    """A small body is waited for in the lobby; others are served meanwhile."""
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.send(post("/echo", "Content-Length: 4"), b"bo")
        for _ in range(5):
            assert server.get("/") == (200, b"hello\n")
        wire.send(b"dy")
        assert wire.read_answer().body == b"body"


# ---- Expect: 100-continue


@pytest.mark.parametrize("framing", ["Content-Length: 4", "Transfer-Encoding: chunked"])
def test_a_100_is_sent_when_the_application_first_reads(
    server: Server, framing: str
) -> None:
    server.start("-w", "1")
    body = b"body" if "Length" in framing else in_chunks(b"body", 4)
    with Wire(server.connect()) as wire:
        for _ in range(2):
            wire.send(post("/echo", framing, "Expect: 100-continue"))
            assert wire.read(len(CONTINUE)) == CONTINUE
            wire.send(body)
            assert wire.read_answer().body == b"body"


def test_no_100_is_sent_when_the_body_is_not_wanted(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.send(post("/ignore", "Content-Length: 4", "Expect: 100-continue"))
        answer = wire.read_answer()
        assert (answer.status, answer.body) == (403, b"not read\n")
        assert answer.headers["connection"] == "close"
        assert wire.read_rest() == b""


def test_no_100_is_sent_when_the_body_has_come_with_the_head(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.send(post("/echo", "Content-Length: 4", "Expect: 100-continue"), b"body")
        assert wire.read_answer().body == b"body"


def test_no_100_is_sent_to_http_1_0(server: Server) -> None:
    server.start("-w", "1")
    answer = server.raw(
        b"POST /echo HTTP/1.0\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nbody"
    )
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")


def test_no_100_is_sent_into_an_answer_that_has_begun(server: Server) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.send(post("/late-read", "Content-Length: 4", "Expect: 100-continue"))
        wire.wait_readable()
        wire.send(b"body")
        assert wire.read_answer().body == b"begun\nbody"


# ---- an answer before the body has been read


@pytest.mark.parametrize("expect", [[], ["Expect: 100-continue"]])
def test_an_early_answer_survives_a_large_upload(
    server: Server, expect: list[str]
) -> None:
    """No reset: the client can send all it has, and then read the answer."""
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.send(post("/ignore", f"Content-Length: {30 << 20}", *expect))
        for _ in range(30):
            wire.send(MEGABYTE)
        answer = wire.read_answer()
        assert (answer.status, answer.body) == (403, b"not read\n")
        assert answer.headers["connection"] == "close"
        assert wire.read_rest() == b""


def test_a_refusal_survives_a_large_upload(server: Server) -> None:
    server.start("-w", "1", "--max-body", "1000")
    with Wire(server.connect()) as wire:
        wire.send(post("/count", f"Content-Length: {10 << 20}"))
        for _ in range(10):
            wire.send(MEGABYTE)
        assert wire.read_answer().status == 413


def test_a_client_that_uploads_in_vain_holds_no_worker(server: Server) -> None:
    """What nobody wants is read on in the lobby, a piece a turn."""
    server.start("-w", "1")
    stop = threading.Event()
    with Wire(server.connect()) as wire:
        uploader = threading.Thread(target=_upload_until, args=(wire, stop))
        uploader.start()
        try:
            wire.wait_readable()  # it is answered, and goes on sending
            before = time.monotonic()
            for _ in range(5):
                assert server.get("/") == (200, b"hello\n")
            assert time.monotonic() - before < 8  # it would read on for 10
        finally:
            stop.set()
            uploader.join()


def _upload_until(wire: Wire, stop: threading.Event) -> None:
    wire.send(post("/ignore", f"Content-Length: {1 << 40}"))
    try:
        while not stop.is_set():
            wire.send(MEGABYTE)
    except OSError:
        pass  # cut in the end, as it should be


# ---- bodies that do not come to their end


SHORT = {  # framing → what is sent of the body
    "Content-Length: 100000": MEGABYTE[:80000],
    "Transfer-Encoding: chunked": in_chunks(MEGABYTE[:80000], 4000)[:-5],
}


@pytest.mark.parametrize("framing", SHORT)
def test_a_body_that_breaks_off_raises_in_read(server: Server, framing: str) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.send(post("/read", framing), SHORT[framing])
        server.wait_log("read 65536")
    server.wait_log("read failed: the client left before its body was complete")
    assert "read everything" not in server.log
    assert "Traceback" not in server.log  # it is not the application's fault


@pytest.mark.parametrize("framing", SHORT)
def test_a_client_that_breaks_off_can_still_hear_why(
    server: Server, framing: str
) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.send(post("/read", framing), SHORT[framing])
        wire.end()
        assert wire.read_answer().status == 400
        assert wire.read_rest() == b""


def test_a_small_body_that_breaks_off_never_reaches_the_application(
    server: Server,
) -> None:
    log = server.directory / "access.log"
    server.start("-w", "1", "--access-logfile", str(log), app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.send(post("/read", "Content-Length: 100"), b"too little")
        wire.end()
        assert wire.read_answer().status == 400
    assert eventually(lambda: '"POST /read HTTP/1.1" 400' in log.read_text())
    assert "read everything" not in server.log


def test_a_malformed_chunk_in_the_middle_is_a_400(server: Server) -> None:
    server.start("-w", "1", "--body-buffer", "0", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.send(post("/read", "Transfer-Encoding: chunked"))
        wire.send(in_chunks(MEGABYTE[:80000], 4000)[:-5], b"nonsense\r\n")
        assert wire.read_answer().status == 400
        assert wire.read_rest() == b""
    server.wait_log("read failed: malformed chunk size")


@pytest.mark.parametrize("buffer", ["0", "65536"])
def test_chunks_beyond_the_limit_are_a_413(server: Server, buffer: str) -> None:
    server.start(
        *("-w", "1", "--max-body", "5000", "--body-buffer", buffer), app="wire:wsgi"
    )
    with Wire(server.connect()) as wire:
        wire.send(post("/read", "Transfer-Encoding: chunked"))
        wire.send(in_chunks(MEGABYTE[:9000], 3000))
        assert wire.read_answer().status == 413
        assert wire.read_rest() == b""
    assert "read everything" not in server.log


@pytest.mark.parametrize("buffer", ["0", "65536"], ids=["arriving", "waited for"])
def test_a_body_that_stops_coming_is_a_408(server: Server, buffer: str) -> None:
    server.start(
        *("-w", "1", "--body-timeout", "0.5", "--body-buffer", buffer), app="wire:wsgi"
    )
    with Wire(server.connect()) as wire:
        wire.send(post("/read", "Content-Length: 100"), b"a beginning")
        assert wire.read_answer().status == 408
        assert wire.read_rest() == b""
    assert "read everything" not in server.log
    assert "Traceback" not in server.log


def test_a_body_that_never_stops_dribbling_is_a_408(server: Server) -> None:
    """Each byte in time, but all of them too few: the least rate counts."""
    server.start(
        *("-w", "1", "--body-timeout", "0.5", "--body-min-rate", "1000"),
        app="wire:wsgi",
    )
    with Wire(server.connect()) as wire:
        wire.send(post("/read", "Content-Length: 1000"))
        assert _dribble_until_answered(wire)
        assert wire.read_answer().status == 408


def _dribble_until_answered(wire: Wire) -> bool:
    for _ in range(100):
        wire.send(b"x")
        if wire.wait_readable(0.1):
            return True
    return False


@pytest.mark.slow
def test_a_late_body_is_not_counted_as_the_applications_time(server: Server) -> None:
    """The request's deadline stands still while its client makes it wait."""
    server.start("-w", "1", "-t", "3", "--body-buffer", "0", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.send(post("/read", "Content-Length: 4"))
        for byte in b"body":
            assert not wire.wait_readable(1)
            wire.send(bytes([byte]))
        assert wire.read_answer().body == b"4"
    assert "aborting worker" not in server.log
