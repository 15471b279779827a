"""Answers that end where their connection does: half of one must not look whole."""

import os
import signal
import socket

import pytest
from serving import Server, eventually
from serving.server import read_all

pytestmark = pytest.mark.process


def get(target: str, version: str = "1.0") -> bytes:
    return f"GET {target} HTTP/{version}\r\nHost: test\r\n\r\n".encode()


def scgi(path: str) -> bytes:
    pairs = ("CONTENT_LENGTH", "0", "SCGI", "1", "REQUEST_METHOD", "GET")
    text = b"\0".join(word.encode() for word in (*pairs, "PATH_INFO", path, ""))
    return b"%d:%b," % (len(text), text)


def test_a_whole_one_ends(server: Server) -> None:
    server.start("-w", "1")
    answer = server.raw(get("/stream?n=3"))
    assert b"Content-Length" not in answer
    assert answer.endswith(b"chunk 0\nchunk 1\nchunk 2\n")


def test_one_that_fails_is_reset(server: Server) -> None:
    server.start("-w", "1")
    assert server.raw(get("/fail-late")).endswith(b"[RESET]")
    assert server.get("/") == (200, b"hello\n")


def test_so_it_is_in_scgi(server: Server) -> None:
    server.start("-w", "1", bind="scgi://127.0.0.1:0")
    port = int(server.wait_log(r"listening on=scgi://\S+:(\d+)")[1])

    def ask(path: str) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 10) as connection:
            connection.sendall(scgi(path))
            return read_all(connection)

    assert ask("/stream").endswith(b"chunk 2\n")
    assert ask("/fail-late").endswith(b"[RESET]")


def test_one_whose_worker_dies_is_reset(server: Server) -> None:
    """Behaviour 12."""
    server.start("-w", "1")
    (worker,) = server.workers()
    with server.connect() as connection:
        connection.sendall(get("/stream?n=2&s=60"))
        eventually(lambda: connection.recv(1000).endswith(b"chunk 0\n"))
        os.kill(worker, signal.SIGKILL)
        assert read_all(connection) == b"[RESET]"


def test_one_that_tells_its_end_is_closed_as_ever(server: Server) -> None:
    """In chunks: the client sees that the last one is missing."""
    server.start("-w", "1")
    answer = server.raw(get("/fail-late", "1.1"))
    assert answer.endswith(b"so far so good\n\r\n")


def test_one_for_a_slow_reader_ends_when_it_is_whole(server: Server) -> None:
    """It is given to the lobby to drain, and still was not cut."""
    server.start("-w", "1", app="wire:wsgi")
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(20)
        connection.connect(("127.0.0.1", server.port))
        connection.sendall(get("/blocks?n=14"))
        assert server.raw(get("/blocks?n=1")).endswith(b"x")  # by now it drains
        answer = read_all(connection)
    assert len(answer.partition(b"\r\n\r\n")[2]) == 14 << 16
    assert not answer.endswith(b"[RESET]")


def test_a_body_that_was_not_read_does_not_reset_a_whole_one(server: Server) -> None:
    server.start("-w", "1", "--body-buffer", "0")
    head = b"POST /stream HTTP/1.0\r\nContent-Length: 1000000\r\n\r\n"
    answer = server.raw(head + bytes(100_000))
    assert answer.endswith(b"chunk 2\n")
