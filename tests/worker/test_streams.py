"""prefork.worker.streams: a body from stdin, an answer to stdout."""

import os
import threading
from collections.abc import Iterator

import pytest

from prefork.errors import ClientGone, ProtocolError
from prefork.protocols.answer import CgiAnswer
from prefork.protocols.request import Request
from prefork.worker.streams import StreamReply, read_body, send_all

MEGABYTE = bytes(range(256)) * 4096


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    yield reader, writer
    for fd in (reader, writer):
        try:
            os.close(fd)
        except OSError:
            pass  # the test has closed it


def read(
    pipe: tuple[int, int], data: bytes, length: int | None, *, limit: int = 0
) -> bytes:
    """What is read of a stream that has `data`, then ends."""
    reader, writer = pipe

    def write() -> None:
        with os.fdopen(writer, "wb") as stream:
            stream.write(data)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with read_body(reader, length, in_memory=1000, limit=limit) as body:
            return body.read()
    finally:
        os.read(reader, 1 << 20)
        thread.join()


@pytest.mark.parametrize("size", [0, 1, 1000, 1001, 1 << 20])
def test_a_body_is_as_long_as_was_said(pipe: tuple[int, int], size: int) -> None:
    """Even if there is more."""
    assert read(pipe, MEGABYTE[:size] + b"more", size) == MEGABYTE[:size]


@pytest.mark.parametrize("size", [0, 1, 1001, 1 << 20])
def test_without_a_length_the_end_is_the_end(pipe: tuple[int, int], size: int) -> None:
    assert read(pipe, MEGABYTE[:size], None) == MEGABYTE[:size]


def test_nothing_is_read_where_there_is_no_body(pipe: tuple[int, int]) -> None:
    with read_body(pipe[0], 0, in_memory=1000, limit=0) as body:
        assert body.read() == b""


def test_a_body_that_breaks_off_is_none(pipe: tuple[int, int]) -> None:
    with pytest.raises(ClientGone, match="ended before its CONTENT_LENGTH"):
        read(pipe, b"hell", 5)


def test_a_body_without_a_length_has_its_limit(pipe: tuple[int, int]) -> None:
    with pytest.raises(ProtocolError, match="body too long") as caught:
        read(pipe, bytes(101), None, limit=100)
    assert caught.value.status == 413


def test_what_cannot_be_read_is_a_client_that_is_gone() -> None:
    fd = os.open("/", os.O_RDONLY)
    try:
        with pytest.raises(ClientGone, match="could not read: Is a directory"):
            read_body(fd, 1, in_memory=0, limit=0)
    finally:
        os.close(fd)


def test_an_answer_is_written_to_its_end(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    heard = bytearray()

    def hear() -> None:
        while data := os.read(reader, 1 << 20):
            heard.extend(data)

    thread = threading.Thread(target=hear)
    thread.start()
    request = Request({"REQUEST_METHOD": "GET"}, body=None, rest=b"", keep_alive=False)
    reply = StreamReply(writer, CgiAnswer(request, keep_alive=False))
    reply.send("200 OK", [], b"one", complete=False)
    reply.write(MEGABYTE)
    reply.end()
    os.close(writer)
    thread.join()
    assert heard == b"Status: 200 OK\r\n\r\none" + MEGABYTE
    assert reply.started and not reply.is_aborted and not reply.problem


def test_who_does_not_listen_is_gone(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    os.close(reader)
    with pytest.raises(ClientGone, match="could not send: Broken pipe"):
        send_all(writer, b"hello")
