"""prefork.worker.reply: an answer, framed and sent."""

import gzip
import io
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving.lines import LineDoor

from prefork.errors import ClientGone
from prefork.monitor.scoreboard import Scoreboard
from prefork.worker.client import Client
from prefork.worker.reply import SEND_AHEAD, Reply, ReplyTerms
from prefork.worker.waiting import Waiting


class Conversation:
    """A client whose request was received, and the reply to it."""

    def __init__(
        self,
        received: bytes = b"GET\n",
        *,
        may_keep: bool = True,
        may_sendfile: bool = True,
        write_timeout: float = 5.0,
    ) -> None:
        server, self.far = socket.socketpair()
        server.setblocking(False)
        self.far.settimeout(5)
        door = LineDoor()
        conversation = door.language.converse({})
        self.client = Client(server.detach(), door, conversation)  # type: ignore[arg-type]
        self.client.receive(received, body_buffer=4)
        self._scoreboard = Scoreboard()
        self.reply = Reply(
            self.client,
            ReplyTerms(
                Waiting(self._scoreboard.worker_slot(0)), write_timeout, may_sendfile
            ),
            date="",
            may_keep=may_keep,
            now=time.monotonic_ns(),
        )

    def hear(self) -> bytes:
        """All that the client gets."""
        heard = b""
        while not self.client.flush():
            heard += self.far.recv(1 << 20)
        self.client.shut()
        while data := self.far.recv(1 << 20):
            heard += data
        return heard

    def close(self) -> None:
        self.client.close()
        self.far.close()
        os.close(self._scoreboard.descriptor)


Converse = Callable[..., Conversation]


@pytest.fixture
def converse() -> Iterator[Converse]:
    with ExitStack() as stack:

        def converse(*args: bytes, **options: object) -> Conversation:
            made = Conversation(*args, **options)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield converse


def test_head_and_body_leave_together(converse: Converse) -> None:
    made = converse()
    made.reply.send("200 OK", [], b"hello", complete=True)
    assert made.far.recv(100) == b"200 OK\nhello"
    assert made.reply.started and made.reply.keep_alive
    assert (made.reply.status, made.reply.sent) == ("200 OK", 5)


def test_chunks_follow(converse: Converse) -> None:
    made = converse()
    made.reply.send("200 OK", [], b"one", complete=False)
    made.reply.write(b"two")
    made.reply.write(b"")
    made.reply.end()
    assert made.hear() == b"200 OK\nonetwo.\n"
    assert made.reply.sent == 6


def test_a_head_that_cannot_be_sent_has_not_begun(converse: Converse) -> None:
    made = converse()
    with pytest.raises(ValueError, match="status"):
        made.reply.send("200\r\nEvil: 1", [], b"", complete=True)
    assert not made.reply.started
    made.reply.send("500 Oh", [], b"", complete=True)
    assert made.hear() == b"500 Oh\n"


@pytest.mark.parametrize(
    ("received", "may_keep", "kept"),
    [
        (b"GET\n", True, True),
        (b"GET\n", False, False),
        (b"POST 3\nabc", True, True),
        (b"POST 9\nabcd", True, False),  # the rest of the body is still to come
    ],
)
def test_the_connection_is_kept_when_its_request_is_over(
    converse: Converse, received: bytes, may_keep: bool, kept: bool
) -> None:
    made = converse(received, may_keep=may_keep)
    made.reply.send("200 OK", [], b"", complete=True)
    assert made.reply.keep_alive is kept


def test_an_aborted_answer_ends_the_connection(converse: Converse) -> None:
    made = converse()
    made.reply.send("200 OK", [], b"so far", complete=False)
    made.reply.abort()
    assert not made.reply.keep_alive


def test_without_an_answer_nothing_is_kept(converse: Converse) -> None:
    reply = converse().reply
    assert not reply.keep_alive
    assert (reply.sent, reply.problem) == (0, "")


def test_who_breaks_off_hears_why(converse: Converse) -> None:
    made = converse()
    made.reply.give_up(ClientGone("too slow", status=408))
    assert made.hear() == b"408 too slow\n"
    assert made.reply.status == "408"
    assert not made.reply.keep_alive


def test_in_the_middle_of_an_answer_nothing_is_added(converse: Converse) -> None:
    made = converse()
    made.reply.send("200 OK", [], b"so far", complete=False)
    made.reply.give_up(ClientGone("too slow", status=408))
    assert made.hear() == b"200 OK\nso far"
    assert made.reply.status == "200 OK"


def test_whoever_has_left_need_not_hear_why(converse: Converse) -> None:
    made = converse()
    made.far.close()
    made.reply.give_up(ClientGone("left"))


# Files


def test_a_file_is_sent_from_where_it_stands(
    converse: Converse, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = path.open("rb")
    file.read(4)
    made = converse()
    assert made.reply.send_file("200 OK", [], file)
    assert made.hear() == b"200 OK\n456789"
    assert file.closed
    assert made.reply.sent == 6


@pytest.mark.parametrize("position", [10, 20])
def test_an_empty_rest_is_an_empty_answer(
    converse: Converse, tmp_path: Path, position: int
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    file = path.open("rb")
    file.seek(position)
    made = converse()
    assert made.reply.send_file("200 OK", [], file)
    assert made.hear() == b"200 OK\n"
    assert file.closed


def test_what_is_no_file_of_the_system_goes_in_chunks(converse: Converse) -> None:
    made = converse()
    assert not made.reply.send_file("200 OK", [], io.BytesIO(b"abc"))
    assert not made.reply.started


def test_a_file_that_reads_something_else_goes_in_chunks(
    converse: Converse, tmp_path: Path
) -> None:
    """Its descriptor is that of the compressed file."""
    path = tmp_path / "file"
    path.write_bytes(gzip.compress(b"0123456789"))
    with gzip.open(path) as file:
        assert not converse().reply.send_file("200 OK", [], file)  # type: ignore[arg-type]
        assert file.read() == b"0123456789"


def test_a_file_of_the_kernel_goes_in_chunks(converse: Converse) -> None:
    """Its size is 0, whatever there is to read."""
    with open("/proc/self/stat", "rb") as file:
        assert not converse().reply.send_file("200 OK", [], file)


def test_a_pipe_goes_in_chunks(converse: Converse) -> None:
    reader, writer = os.pipe()
    with open(reader, "rb") as file:
        assert not converse().reply.send_file("200 OK", [], file)
    os.close(writer)


@pytest.mark.parametrize(
    ("status", "options"), [("200 OK", {"may_sendfile": False}), ("900 Framed", {})]
)
def test_a_file_goes_in_chunks_where_it_must(
    converse: Converse, tmp_path: Path, status: str, options: dict
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    made = converse(**options)
    with path.open("rb") as file:
        assert not made.reply.send_file(status, [], file)
        assert not made.reply.started
        assert file.read() == b"0123456789"


# Slow readers


def test_a_complete_answer_does_not_wait_for_its_reader(converse: Converse) -> None:
    made = converse()
    big = b"x" * (4 * SEND_AHEAD)
    made.reply.send("200 OK", [], big, complete=True)
    assert made.client.outgoing is not None
    assert made.hear() == b"200 OK\n" + big


def test_chunks_run_ahead_of_their_reader_only_so_far(converse: Converse) -> None:
    made = converse(write_timeout=0.05)
    made.reply.send("200 OK", [], b"", complete=False)

    def write_on() -> None:
        while True:
            made.reply.write(b"x" * (SEND_AHEAD // 8))

    with pytest.raises(ClientGone, match="does not take"):
        write_on()
    assert made.client.outgoing is not None
    assert SEND_AHEAD < made.client.outgoing.size < 2 * SEND_AHEAD


def test_a_complaint_before_the_answer_is_kept_for_its_start(
    converse: Converse,
) -> None:
    conversation = converse()
    conversation.reply.complain(b"one")
    conversation.reply.complain(b"two")
    assert not conversation.reply.started
    conversation.reply.send("200", [], b"body", complete=True)
    assert conversation.hear() == b"(one)(two)200\nbody"


def test_a_failure_is_told_and_does_not_begin_the_answer(converse: Converse) -> None:
    conversation = converse()
    conversation.reply.fail(b"so")
    assert not conversation.reply.started
    conversation.reply.send("500", [], b"", complete=True)
    assert conversation.hear() == b"(failed: so)500\n"


def test_a_complaint_does_not_decide_what_becomes_of_the_connection(
    converse: Converse,
) -> None:
    """Nor does it make the sender of a body wait for an invitation for ever."""
    conversation = converse(b"GET 5 wait\n")
    request = conversation.client.request
    assert request is not None and request.body is not None
    conversation.reply.complain(b"early")
    assert request.invitation
    request.body.feed(b"12345")
    conversation.reply.send("200", [], b"", complete=True)
    assert conversation.reply.keep_alive and not request.invitation
