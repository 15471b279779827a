"""Signals that an operator sends to the wrong process end nobody."""

import os
import signal

import pytest
from serving import Server

pytestmark = pytest.mark.process


def test_a_dump_of_stacks_is_for_workers(server: Server) -> None:
    server.start("-w", "1")
    (worker,) = server.workers()
    server.signal(signal.SIGUSR2)
    server.signal(signal.SIGTTIN)  # heard by the master after the other
    server.wait_log("scaling workers=2")
    assert server.get()[0] == 200
    assert worker in server.workers()


def test_a_worker_writes_its_stacks_and_goes_on(server: Server) -> None:
    server.start("-w", "1")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGUSR2)
    server.wait_log(r'Current thread .*\n  File ".*lobby.py"')
    assert server.get("/pid") == (200, str(worker).encode())
