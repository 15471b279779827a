"""Signals that an operator sends to the wrong process end nobody."""

import os
import signal

import pytest
from serving import Server

pytestmark = pytest.mark.process


def test_a_dump_of_stacks_that_the_master_is_sent_costs_nobody(server: Server) -> None:
    """It takes it for an upgrade, to the program that it is already."""
    server.start("-w", "1")
    (worker,) = server.workers()
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master")
    assert server.get()[0] == 200
    assert worker in server.workers()


def test_a_worker_writes_its_stacks_and_goes_on(server: Server) -> None:
    server.start("-w", "1")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGUSR2)
    server.wait_log(r'Current thread .*\n  File ".*lobby.py"')
    assert server.get("/pid") == (200, str(worker).encode())
