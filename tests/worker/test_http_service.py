"""HTTP as a client sees it: connections and answers."""

import hashlib
import os
import socket
import threading
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.wire import Wire

pytestmark = pytest.mark.process


# ---- connections


def test_a_connection_carries_one_request_after_the_other(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        for _ in range(5):
            wire.request("/")
            answer = wire.read_answer()
            assert (answer.status, answer.body) == (200, b"hello\n")
            assert "connection" not in answer.headers


def test_a_connection_is_closed_when_the_client_says_so(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.request("/", "Connection: close")
        assert wire.read_answer().headers["connection"] == "close"
        assert wire.read_rest() == b""


def test_no_connection_is_kept_when_the_operator_says_so(server: Server) -> None:
    server.start("-w", "1", "--keep-alive", "0")
    with Wire(server.connect()) as wire:
        wire.request("/")
        assert wire.read_answer().headers["connection"] == "close"
        assert wire.read_rest() == b""


def test_an_idle_connection_is_closed_without_a_word(server: Server) -> None:
    server.start("-w", "1", "--keep-alive", "0.3")
    with Wire(server.connect()) as wire:
        wire.request("/")
        wire.read_answer()
        assert wire.read_rest() == b""


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    server.start("-w", "2")
    with Wire(server.connect()) as wire:
        paths = ["/", "/sleep?s=0.2", "/stream", "/environ", "/"]
        wire.send(*(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % p.encode() for p in paths))
        bodies = [wire.read_answer().body for _ in paths]
    assert bodies[0] == bodies[4] == b"hello\n"
    assert bodies[1] == b"slept\n"
    assert bodies[2] == b"chunk 0\nchunk 1\nchunk 2\n"
    assert b"PATH_INFO='/environ'" in bodies[3]


def test_a_request_may_follow_a_body_in_the_same_packet(server: Server) -> None:
    server.start("-w", "1")
    get = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    post = b"POST /echo HTTP/1.1\r\nHost: a\r\n"
    with Wire(server.connect()) as wire:
        wire.send(post, b"Content-Length: 4\r\n\r\nbody", get)
        assert [wire.read_answer().body for _ in range(2)] == [b"body", b"hello\n"]
        wire.send(
            post, b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n", get
        )
        assert [wire.read_answer().body for _ in range(2)] == [b"body", b"hello\n"]


def test_http_1_0_gets_one_answer_without_chunks(server: Server) -> None:
    server.start("-w", "1")
    answer = server.raw(b"GET /stream HTTP/1.0\r\n\r\n")
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"Connection: close" in head
    assert b"chunked" not in head
    assert body == b"chunk 0\nchunk 1\nchunk 2\n"


def test_http_1_0_is_kept_only_if_asked_and_if_lengths_are_known(
    server: Server,
) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        assert wire.read_answer().headers["connection"] == "keep-alive"
        wire.send(b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        answer = wire.read_answer()
        assert answer.headers["connection"] == "close"
        assert answer.body == b"chunk 0\nchunk 1\nchunk 2\n"


def test_the_authority_of_an_absolute_target_replaces_the_host(
    server: Server,
) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.request("http://wanted:81/environ?a=b")
        body = wire.read_answer().body.decode()
    assert "HTTP_HOST='wanted:81'\n" in body
    assert "PATH_INFO='/environ'\n" in body
    assert "QUERY_STRING='a=b'\n" in body


def test_a_dribbled_head_is_a_request_like_any_other(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n":
            wire.send(bytes([byte]))
        assert wire.read_answer().body == b"hello\n"


# ---- answers


@pytest.mark.parametrize("path", ["/", "/stream", "/big?size=1000000"])
def test_head_gets_the_head_and_nothing_else(server: Server, path: str) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.request(path)
        expected = wire.read_answer().headers
        wire.request(path, method="HEAD")
        headers = wire.read_answer(with_body=False).headers
        assert headers.get("content-length") == expected.get("content-length")
        wire.request("/")  # what follows is the next answer, not a body
        assert wire.read_answer().body == b"hello\n"


@pytest.mark.parametrize("code", [204, 304])
def test_some_statuses_have_no_body(server: Server, code: int) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        for _ in range(2):
            wire.request(f"/status?code={code}")
            answer = wire.read_answer(with_body=False)
            assert answer.status == code
            assert "transfer-encoding" not in answer.headers
        wire.request("/status?code=200", "Connection: close")
        assert wire.read_answer().body == b"a body, if there may be one\n"
        assert wire.read_rest() == b""


def test_a_body_shorter_than_promised_ends_the_connection(server: Server) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.request("/length?says=100&gives=90")
        with pytest.raises(EOFError, match="90 bytes instead of 100"):
            wire.read_answer()
    server.wait_log("warning bad answer .*10 bytes shorter")


def test_a_body_longer_than_promised_is_cut(server: Server) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.request("/length?says=50&gives=90")
        wire.request("/length?says=1&gives=1")  # pipelined: must not be answered
        assert wire.read_answer().body == b"1" * 30 + b"2" * 20
        assert wire.read_rest() == b""
    server.wait_log("warning bad answer .*longer than its Content-Length")


def test_an_error_after_the_head_is_seen_by_the_client(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        wire.request("/fail-late")
        answer = wire.read_rest()
    assert answer.endswith(b"f\r\nso far so good\n\r\n")  # and no last chunk
    assert "failed on purpose, late" in server.log


def test_an_error_before_the_head_keeps_the_connection(server: Server) -> None:
    server.start("-w", "1")
    with Wire(server.connect()) as wire:
        for path, status in (("/fail", 500), ("/", 200), ("/fail", 500), ("/", 200)):
            wire.request(path)
            answer = wire.read_answer()
            assert answer.status == status
            assert b"Traceback" not in answer.body
    assert server.log.count("RuntimeError: failed on purpose") == 2


# ---- files


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that no socket buffer holds."""
    path = tmp_path / "large.bin"
    path.write_bytes(os.urandom(1 << 20) * 24)
    return path


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize("options", [[], ["--no-sendfile"]])
def test_a_file_arrives_as_it_is(
    server: Server, file: Path, options: list[str]
) -> None:
    server.start("-w", "1", *options)
    with Wire(server.connect()) as wire:
        for _ in range(2):
            wire.request(f"/file?path={file}")
            body = wire.read_answer().body
            assert digest(body) == digest(file.read_bytes())


def test_a_file_is_sent_from_its_position_with_its_length(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"0123456789")
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.request(f"/bare-file?path={path}&from=4")
        answer = wire.read_answer()
    assert (answer.headers["content-length"], answer.body) == ("6", b"456789")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("size", [0, 10])
def test_files_of_which_nothing_is_sent_keep_the_connection(
    server: Server, tmp_path: Path, method: str, size: int
) -> None:
    path = tmp_path / "small"
    path.write_bytes(b"x" * size)
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        for _ in range(2):
            wire.request(f"/bare-file?path={path}", method=method)
            answer = wire.read_answer(with_body=method == "GET")
            assert answer.status == 200
            assert int(answer.headers.get("content-length", 0)) == size


def test_a_slow_reader_does_not_hold_the_worker(server: Server, file: Path) -> None:
    """It drains from the lobby, and the next request is served meanwhile."""
    server.start("-w", "1")
    with Wire(server.connect()) as slow:
        slow.request(f"/file?path={file}")
        for _ in range(20):
            assert server.get("/") == (200, b"hello\n")
        answer = slow.read_answer()
    assert digest(answer.body) == digest(file.read_bytes())


def test_a_reader_who_takes_nothing_is_cut_in_the_end(
    server: Server, file: Path
) -> None:
    server.start("-w", "1", "--write-timeout", "0.5")
    with Wire(server.connect()) as slow:
        slow.request(f"/file?path={file}")
        server.wait_log("warning cut answer ")
        with pytest.raises((EOFError, ConnectionResetError)):
            slow.read_answer()


def test_a_file_that_shrinks_is_not_taken_for_whole(server: Server, file: Path) -> None:
    server.start("-w", "1", app="wire:wsgi")
    with Wire(server.connect()) as wire, Wire(server.connect()) as other:
        wire.request(f"/bare-file?path={file}")
        assert wire.socket.recv(1, socket.MSG_PEEK) == b"H"  # it has begun
        other.request(f"/truncate?path={file}&size={8 << 20}")
        assert other.read_answer().body == b"cut\n"
        with pytest.raises((EOFError, ConnectionResetError)):
            wire.read_answer()


@pytest.mark.slow
def test_a_slow_reader_of_a_stream_makes_only_the_application_wait(
    server: Server,
) -> None:
    """The answer is made as fast as it is read, and nobody is killed for that."""
    server.start("-w", "1", "-t", "3", app="wire:wsgi")
    with Wire(server.connect()) as wire:
        wire.request("/blocks?n=400")
        threading.Event().wait(4)  # longer than the deadline of a request
        body = wire.read_answer().body
    assert len(body) == 400 * 65536
    assert "aborting worker" not in server.log


# ---- the access log


REFUSED = [
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    ("nonsense\r\n\r\n", 400),
    ("GET /%s HTTP/1.1\r\nHost: a\r\n\r\n" % ("x" * 9000), 414),
    ("GET / HTTP/1.1\r\nHost: a\r\nX: %s\r\n\r\n" % ("x" * 9000), 431),
    ("GET / HTTP/9.9\r\nHost: a\r\n\r\n", 505),
    ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
    (
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
    ),
    ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a\r\nExpect: magic\r\n\r\n", 417),
]


def test_every_refused_request_is_in_the_access_log(server: Server) -> None:
    """One answer each, then the end; and one line each, in their order."""
    log = server.directory / "access.log"
    server.start(
        *("-w", "1", "--max-body", "50", "--access-logfile", str(log)),
        *("--access-logformat", "%(s)s %(h)s %(r)s"),
    )
    for request, status in REFUSED:
        answer = server.raw(request.encode() + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 %d " % status), request
        assert answer.count(b"HTTP/1.1 ") == 1
    lines = eventually(lambda: _lines(log, len(REFUSED)))
    assert [int(line.split()[0]) for line in lines] == [s for _, s in REFUSED]
    assert all(line.split()[1] == "127.0.0.1" for line in lines)
    assert "nonsense" in lines[2]


def _lines(path: Path, count: int) -> list[str]:
    lines = path.read_text().splitlines()
    assert len(lines) >= count
    return lines


def test_nothing_in_a_request_forges_a_line_of_the_log(server: Server) -> None:
    log = server.directory / "access.log"
    server.start("-w", "1", "--access-logfile", str(log))
    server.raw(
        b"GET /%0aFAKE\x22 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
        b"User-Agent: \x22quoted\x22 \xff\\n\r\n\r\n"
    )
    server.raw(b"GET /\x1b[2J\nFAKE HTTP/1.1\r\nHost: a\r\n\r\n")
    lines = eventually(lambda: _lines(log, 2))
    assert len(lines) == 2
    assert all(line.startswith("127.0.0.1 - ") for line in lines)
    assert "\x1b" not in "".join(lines)
