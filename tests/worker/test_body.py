"""prefork.worker.body: a request body, whole or still arriving."""

import io
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving.lines import LineDoor

from prefork.errors import ClientGone
from prefork.monitor.scoreboard import Scoreboard, WorkerSlot
from prefork.worker.body import open_body
from prefork.worker.client import Client
from prefork.worker.limits import ClientDeadlines
from prefork.worker.waiting import Waiting

SECOND = 10**9


class Upload:
    """A client that uploads, the worker's end of it, and the worker's slot."""

    def __init__(self, *, body_timeout: float = 5.0, rate: int = 0) -> None:
        server, self.client = socket.socketpair()
        server.setblocking(False)
        self._fd = server.detach()
        self._scoreboard = Scoreboard()
        self.slot: WorkerSlot = self._scoreboard.worker_slot(0)
        self._deadlines = ClientDeadlines(
            header=5.0,
            body=body_timeout,
            body_min_rate=rate,
            keep_alive=5.0,
            frontend_keep_alive=5.0,
            write=5.0,
            retirement=5.0,
        )
        door = LineDoor()
        conversation = door.language.converse({})
        self.connection = Client(self._fd, door, conversation)  # type: ignore[arg-type]

    def open(self, received: bytes) -> BinaryIO:
        """The body of a request of which `received` has arrived so far."""
        self.connection.receive(received, body_buffer=0)
        return self.open_received()

    def open_received(self) -> BinaryIO:
        return open_body(
            self.connection, waiting=Waiting(self.slot), deadlines=self._deadlines
        )

    def close(self) -> None:
        os.close(self._fd)
        os.close(self._scoreboard.descriptor)
        self.client.close()


@pytest.fixture
def upload() -> Iterator[Callable[..., Upload]]:
    with ExitStack() as stack:

        def upload(**options: float) -> Upload:
            made = Upload(**options)  # type: ignore[arg-type]
            stack.callback(made.close)
            return made

        yield upload


MakeUpload = Callable[..., Upload]


def test_no_body_is_an_empty_file(upload: MakeUpload) -> None:
    assert upload().open(b"GET\n").read() == b""


def test_a_body_that_came_whole_is_in_memory(upload: MakeUpload) -> None:
    body = upload().open(b"POST 5\nhello")
    assert isinstance(body, io.BytesIO)
    assert body.read() == b"hello"


def test_what_has_not_come_yet_is_waited_for(upload: MakeUpload) -> None:
    made = upload()
    body = made.open(b"POST 11\nhello")
    later = threading.Timer(0.05, made.client.send, [b" world"])
    later.start()
    assert body.read() == b"hello world"
    later.join()


def test_ends_where_the_body_ends(upload: MakeUpload) -> None:
    """What follows is the next request."""
    made = upload()
    body = made.open(b"POST 5\nhe")
    made.client.send(b"lloGET\n")
    assert body.read() == b"hello"
    assert body.read() == b""
    assert made.connection.next_request() == b"GET\n"


def test_lines_can_be_read(upload: MakeUpload) -> None:
    made = upload()
    body = made.open(b"POST 13\none\nt")
    made.client.send(b"wo\nthree")
    assert body.readline() == b"one\n"
    assert body.readlines() == [b"two\n", b"three"]


def test_the_sender_is_asked_to_go_on_when_its_body_is_wanted(
    upload: MakeUpload,
) -> None:
    """RFC 9110 10.1.1."""
    made = upload()
    body = made.open(b"POST 5 wait\n")
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.client.recv(100)
    made.client.send(b"hello")
    assert body.read(2) == b"he"
    assert body.read() == b"llo"
    assert made.client.recv(100) == b"come\n"


def test_what_is_outgoing_leaves_while_a_body_is_waited_for(
    upload: MakeUpload,
) -> None:
    """A front end that is asked for more hears it after what was sent before."""
    made = upload()
    body = made.open(b"POST 5 wait\n")
    answer = b"x" * (1 << 20)
    made.connection.transmit(answer)
    assert made.connection.outgoing is not None

    def send_when_asked() -> None:
        size = len(answer) + len(b"come\n")
        if made.client.recv(size, socket.MSG_WAITALL).endswith(b"xcome\n"):
            made.client.send(b"hello")

    sender = threading.Thread(target=send_when_asked)
    sender.start()
    assert body.read() == b"hello"
    sender.join()


def test_who_does_not_wait_is_not_asked(upload: MakeUpload) -> None:
    """It has begun without."""
    made = upload()
    body = made.open(b"POST 5 wait\nhe")
    made.client.send(b"llo")
    assert body.read() == b"hello"
    made.client.setblocking(False)
    with pytest.raises(BlockingIOError):
        made.client.recv(100)


def test_a_body_that_breaks_off_never_passes_as_complete(upload: MakeUpload) -> None:
    made = upload()
    body = made.open(b"POST 10\nhello")
    made.client.shutdown(socket.SHUT_WR)
    with pytest.raises(ClientGone, match="complete") as caught:
        body.read()
    assert caught.value.status == 400


def test_a_client_that_resets_is_gone(upload: MakeUpload) -> None:
    made = upload()
    body = made.open(b"POST 10\nhello")
    os.write(made.connection.fd, b"unread, so that the close is a reset")
    made.client.close()
    with pytest.raises(ClientGone):
        body.read()


def test_a_malformed_body_says_so(upload: MakeUpload) -> None:
    made = upload()
    body = made.open(b"POST 10\nhello")
    made.client.send(b"!")
    with pytest.raises(ClientGone, match="malformed") as caught:
        body.read()
    assert caught.value.status == 413


def test_a_silent_body_has_a_deadline(upload: MakeUpload) -> None:
    body = upload(body_timeout=0.05).open(b"POST 10\nhello")
    with pytest.raises(ClientGone, match="too slowly") as caught:
        body.read()
    assert caught.value.status == 408


def test_a_body_below_the_rate_has_one_too(upload: MakeUpload) -> None:
    made = upload(body_timeout=0.3, rate=10**6)
    body = made.open(b"POST 100000\n.")
    stop = threading.Event()

    def trickle() -> None:
        while not stop.wait(0.02):
            made.client.send(b".")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        with pytest.raises(ClientGone, match="too slowly"):
            body.read()
    finally:
        stop.set()
        thread.join()


def test_an_application_that_takes_its_time_does_not_make_the_client_slow(
    upload: MakeUpload,
) -> None:
    made = upload(body_timeout=0.3, rate=10**6)
    body = made.open(b"POST 2\n.")
    assert body.read(1) == b"."
    time.sleep(0.4)  # it is busy with what it has read
    later = threading.Timer(0.05, made.client.send, [b"."])
    later.start()
    assert body.read() == b"."
    later.join()


class SmallTalk:
    """A body that does not begin: all that arrives is answered, or ignored."""

    done = False
    rest = b""

    def __init__(self, client: Client, answer: bytes) -> None:
        self._conversation = client.conversation
        self._answer = answer

    def feed(self, data: bytes) -> bytes:
        self._conversation.replies += self._answer
        return b""


@pytest.mark.parametrize("answer", [b"", bytes(1 << 20)])
def test_a_client_cannot_talk_for_ever_instead(
    upload: MakeUpload, answer: bytes
) -> None:
    """Nor does it get an answer to everything without reading any."""
    made = upload()
    client = made.connection
    client.receive(b"POST 10\n.", body_buffer=0)
    assert client.request is not None
    client.request.body = SmallTalk(client, answer)
    body = made.open_received()

    def talk() -> None:
        for _ in range(100):
            made.client.sendall(bytes(30_000))

    with ThreadPoolExecutor() as pool:
        talking = pool.submit(talk)
        with pytest.raises(ClientGone, match="too much beside the body"):
            body.read()
        made.client.shutdown(socket.SHUT_RDWR)
        assert isinstance(talking.exception(), BrokenPipeError)


def test_a_late_body_is_on_the_clients_time(upload: MakeUpload) -> None:
    """The request's deadline rests meanwhile, and moves by as long as it took."""
    made = upload()
    before = time.monotonic_ns()
    deadline = before + 60 * SECOND
    made.slot.begin(b"POST", now=before, deadline=deadline)
    seen: list[int] = []

    def look_and_send() -> None:
        seen.append(made.slot.deadline())
        made.client.send(b"hello")

    later = threading.Timer(0.1, look_and_send)
    later.start()
    assert made.open(b"POST 5\n").read() == b"hello"
    later.join()
    waited = made.slot.deadline() - deadline
    assert seen == [0]
    assert 0.05 * SECOND < waited <= time.monotonic_ns() - before


def test_without_a_deadline_none_is_made(upload: MakeUpload) -> None:
    made = upload()
    made.slot.begin(b"POST", now=0, deadline=0)
    later = threading.Timer(0.02, made.client.send, [b"hello"])
    later.start()
    made.open(b"POST 5\n").read()
    later.join()
    assert made.slot.deadline() == 0


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=5000).map(lambda b: b.replace(b"!", b"?")), st.data())
def test_any_cutting_gives_the_same_body(payload: bytes, data: st.DataObject) -> None:
    message = b"POST %d\n" % len(payload) + payload + b"rest"
    cut = data.draw(st.integers(message.index(b"\n") + 1, len(message)))
    size = data.draw(st.integers(1, 600))
    made = Upload()
    try:
        body = made.open(message[:cut])
        made.client.sendall(message[cut:])
        got = b"".join(iter(lambda: body.read(size), b""))
    finally:
        made.close()
    assert got == payload


def test_what_has_arrived_can_be_had_without_waiting(upload: MakeUpload) -> None:
    made = upload()
    raw = made.open(b"POST 11\nhello").raw  # type: ignore[attr-defined]
    assert raw.read_available() == b"hello"
    assert raw.read_available() is None
    made.client.send(b" worldGET\n")
    assert raw.read_available() == b" world"
    assert raw.read_available() == b""


def test_who_leaves_in_between_is_missed_without_waiting(upload: MakeUpload) -> None:
    made = upload()
    raw = made.open(b"POST 11\n").raw  # type: ignore[attr-defined]
    made.client.close()
    with pytest.raises(ClientGone, match="before its body was complete"):
        raw.read_available()


def test_only_the_time_that_a_sender_was_waited_for_is_held_against_it(
    upload: MakeUpload,
) -> None:
    made = upload(body_timeout=0.3, rate=1000)
    raw = made.open(b"POST 11\nhel").raw  # type: ignore[attr-defined]
    raw.read_available()
    time.sleep(0.4)  # we are busy with something else
    assert raw.left() > 0.2
    time.sleep(0.4)  # for the sender
    assert raw.left() == 0
