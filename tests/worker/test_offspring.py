"""prefork.worker.offspring: what the children of an application cannot do."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from serving import Server
from serving.wire import Wire

from prefork.worker.offspring import void

pytestmark = pytest.mark.process

CLOSING = b"GET /%b HTTP/1.0\r\n\r\n"


@pytest.fixture
def forks(server: Server) -> Server:
    server.start("-w", "1", app="forks:wsgi")
    return server


@contextmanager
def living_child(server: Server) -> Iterator[int]:
    answer = server.raw(CLOSING % b"lives-on", timeout=10)  # not 60: it is over
    child = int(answer.partition(b"\r\n\r\n")[2])
    try:
        yield child
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_child_that_lives_on_does_not_keep_the_client(forks: Server) -> None:
    with living_child(forks):
        pass


def test_a_child_that_lives_on_does_not_keep_the_port(forks: Server) -> None:
    with living_child(forks):
        assert forks.stop() == 0
        with pytest.raises(ConnectionRefusedError):
            forks.connect()


@pytest.mark.parametrize("how", ["comes-back", "exits"])
def test_a_child_that_returns_says_nothing_and_serves_nobody(
    forks: Server, how: str
) -> None:
    worker = forks.get("/pid")
    with Wire(forks.connect()) as wire:
        for _ in range(5):
            wire.request(f"/{how}")
            assert wire.read_answer().body == b"parent"
    assert {forks.get("/pid") for _ in range(20)} == {worker}
    assert forks.stop() == 0
    assert len(forks.workers()) == 0


def test_a_signal_to_a_child_is_not_its_parents(forks: Server) -> None:
    worker = forks.get("/pid")
    assert forks.get("/is-terminated") == (200, b"-15")
    assert forks.get("/pid") == worker
    assert "retired worker" not in forks.log


def test_a_void_descriptor_leads_nowhere_and_is_not_given_away() -> None:
    reader, writer = os.pipe()
    void([writer])
    os.write(writer, b"for nobody")
    assert os.read(reader, 100) == b""
    assert not os.get_inheritable(writer)
    os.close(reader)
    os.close(writer)
