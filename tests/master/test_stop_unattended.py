"""A stop while nobody serves: who is queued is answered all the same."""

import os
import signal
import socket
import time

import pytest
from serving import Server, Site, eventually
from serving.eventually import PATIENCE
from serving.server import read_all

pytestmark = pytest.mark.process
REQUEST = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def ask(server: Server, path: bytes = b"/") -> socket.socket:
    """A client that has asked, and waits for its answer."""
    client = server.connect(timeout=20)
    client.sendall(REQUEST % path)
    return client


def is_answered(client: socket.socket) -> bool:
    with client:
        answer = read_all(client)
    return answer.startswith(b"HTTP/1.1 200 OK") and b"[RESET]" not in answer


def dismiss_workers(server: Server) -> None:
    server.signal(signal.SIGWINCH)
    eventually(lambda: server.workers() == [])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_came_after_winch_is_answered(server: Server, number: int) -> None:
    """Behaviour 40."""
    server.start("-w", "2")
    dismiss_workers(server)
    clients = [ask(server) for _ in range(5)]
    server.signal(number)
    assert [is_answered(client) for client in clients] == [True] * 5
    assert server.wait() == 0


def test_a_worker_that_finishes_does_not_keep_the_others_waiting(
    server: Server,
) -> None:
    """Behaviour 40: it was told to retire, and has let nobody in since."""
    server.start("-w", "1")
    busy = ask(server, b"/sleep?s=1.5&say=asleep")
    server.wait_log("asleep")
    server.signal(signal.SIGWINCH)
    server.wait_log("retiring all workers")
    queued = [ask(server) for _ in range(3)]
    server.signal(signal.SIGTERM)
    assert [is_answered(client) for client in [*queued, busy]] == [True] * 4
    assert server.wait() == 0


def test_with_nobody_queued_it_is_over_soon(server: Server) -> None:
    server.start("-w", "2")
    dismiss_workers(server)
    began = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - began < 5 * PATIENCE


@pytest.mark.slow
def test_a_second_signal_does_not_wait_for_the_queue(server: Server) -> None:
    """Behaviour 45: what was cut is counted."""
    server.start("-w", "1")
    dismiss_workers(server)
    clients = [ask(server, b"/sleep?s=20&say=asleep") for _ in range(2)]
    server.signal(signal.SIGTERM)
    server.wait_log("asleep")
    server.signal(signal.SIGTERM)
    assert server.wait(within=10) == 75
    for client in clients:
        client.close()


@pytest.mark.slow
def test_code_that_cannot_answer_does_not_keep_the_server(server: Server) -> None:
    """Workers have died one after the other; so does the one that was to drain."""
    site = Site(server.directory)
    started = "import pathlib, os; pathlib.Path('broken').exists() and os._exit(3)"
    site.publish("1", more=started)
    server.start("-w", "1", "--no-preload", app=site.app, env=site.env)
    (server.directory / "broken").touch()
    (worker,) = server.workers()
    os.kill(worker, signal.SIGKILL)
    server.wait_log("backing off")
    with ask(server):
        assert server.stop() == 0
