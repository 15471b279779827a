"""A worker that retires does not leave a web server's connection behind an answer."""

from collections.abc import Iterator
from contextlib import suppress
from signal import SIGHUP, SIGTERM

import pytest
from serving import Server, eventually
from serving.fastcgi import Wire, connect, get

pytestmark = [pytest.mark.process, pytest.mark.slow]


@pytest.fixture
def kept(server: Server) -> Iterator[Wire]:
    """A connection to a worker that has retired since its first answer."""
    path = str(server.directory / "app.sock")
    server.start("-w", "1", bind=f"fastcgi+unix:{path}")
    with connect(path) as wire:
        old = ask(wire)
        server.signal(SIGHUP)
        server.wait_log("phase=commit", within=20)
        assert ask(wire) == old  # as FastCGI cannot say that this was the last one
        yield wire


def ask(wire: Wire) -> bytes:
    wire.send(get("/pid", keep=True))
    return wire.read_answer().body


def test_it_serves_on_until_there_is_a_pause(kept: Wire) -> None:
    for _ in range(20):
        assert ask(kept)
    assert kept.read_record() is None  # after two seconds


def test_it_leaves_in_the_pause(kept: Wire, server: Server) -> None:
    assert kept.read_record() is None
    eventually(lambda: len(server.workers()) == 1)


def test_a_stop_waits_for_no_pause(kept: Wire, server: Server) -> None:
    server.signal(SIGTERM)
    with suppress(BrokenPipeError):  # it has left between two requests
        while ask(kept):
            pass
    assert server.wait() == 0
