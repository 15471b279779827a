"""A dialogue: sends and hears at once, and not for ever."""

import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from prefork.errors import TimedOut
from prefork.system.dialogue import Dialogue


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    here, there = socket.socketpair()
    with here, there:
        yield here, there


def begin(here: socket.socket, *, seconds: float = 10.0) -> Dialogue:
    fd = here.fileno()
    return Dialogue(fd, sends=fd, until=time.monotonic() + seconds)


def test_hears_until_the_end(pair: tuple[socket.socket, socket.socket]) -> None:
    here, there = pair
    there.send(b"hello")
    there.shutdown(socket.SHUT_WR)
    fd = here.fileno()
    dialogue = begin(here)
    assert list(dialogue.listen()) == [(fd, b"hello"), (fd, b"")]
    assert not dialogue.was_reset


def test_hears_while_it_sends(pair: tuple[socket.socket, socket.socket]) -> None:
    """Each side sends more than the system takes before the other has read."""
    here, there = pair
    size = 4 << 20
    heard: list[int] = []

    def answer_first() -> None:
        there.sendall(bytes(size))
        heard.append(len(there.recv(size, socket.MSG_WAITALL)))
        there.shutdown(socket.SHUT_WR)

    dialogue = begin(here)
    dialogue.say(bytes(size))
    thread = threading.Thread(target=answer_first)
    thread.start()
    assert sum(len(data) for _, data in dialogue.listen()) == size
    thread.join()
    assert heard == [size]


def test_goes_on_hearing_where_nobody_takes_what_it_says(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    here, there = pair
    there.shutdown(socket.SHUT_RD)
    there.send(b"no, thanks")
    there.shutdown(socket.SHUT_WR)
    dialogue = begin(here)
    dialogue.say(bytes(1 << 20))
    assert b"".join(data for _, data in dialogue.listen()) == b"no, thanks"


def test_a_silence_that_is_too_long_ends_it(
    pair: tuple[socket.socket, socket.socket],
) -> None:
    with pytest.raises(TimedOut):
        list(begin(pair[0], seconds=0.05).listen())


@pytest.mark.parametrize("said", [b"", b"more"])
def test_a_reset_is_not_taken_for_an_end(said: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        here = socket.create_connection(listener.getsockname())
        there, _ = listener.accept()
        here.send(b"unread")
        there.close()
        with here:
            dialogue = begin(here)
            dialogue.say(said)
            assert [data for _, data in dialogue.listen()] == [b""]
            assert dialogue.was_reset


def test_hangs_up_when_everything_is_said() -> None:
    out, into = os.pipe()
    heard, back = os.pipe()
    dialogue = Dialogue(
        heard,
        sends=into,
        until=time.monotonic() + 10,
        hang_up=lambda: os.close(into),
    )
    dialogue.say(b"body")
    thread = threading.Thread(
        target=lambda: (os.write(back, read(out)), os.close(back))
    )
    thread.start()
    assert b"".join(data for _, data in dialogue.listen()) == b"body"
    thread.join()
    os.close(heard)
    os.close(out)


def read(fd: int) -> bytes:
    return b"".join(iter(lambda: os.read(fd, 100), b""))
