"""A master that is killed: its workers finish, leave, and block nobody."""

import os
import random
import signal
import socket
import time

import pytest
from serving import Server, eventually
from serving.eventually import PATIENCE

pytestmark = pytest.mark.process


def is_free(port: int) -> bool:
    """Can another server listen there?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(("127.0.0.1", port))
        probe.listen()
    return True


def test_the_port_is_free_in_a_moment(server: Server) -> None:
    """Behaviour 48."""
    server.start("-w", "4")
    idle = server.connect()  # a silent client, in somebody's lobby
    server.get("/")
    server.signal(signal.SIGKILL)
    began = time.monotonic()
    assert server.wait() == -signal.SIGKILL
    eventually(lambda: is_free(server.port))
    assert time.monotonic() - began < 2 * PATIENCE
    idle.close()
    eventually(lambda: server.processes() == {})


def test_the_request_that_is_being_served_is_finished(server: Server) -> None:
    """Behaviour 48: and no other is accepted."""
    server.start("-w", "2")
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=1.5&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        server.signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: len(server.processes()) <= 1)
        assert b"slept" in client.recv(65536)
    eventually(lambda: server.processes() == {})


def test_a_request_that_hangs_does_not_keep_the_port(server: Server) -> None:
    """Behaviour 48: its deadline was the master's to keep."""
    server.start("-w", "2", "-t", "1", "--graceful-timeout", "1")
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=60&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        server.signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: server.processes() == {})
        # A process that exits is nameless before its descriptors are closed.
        eventually(lambda: is_free(server.port))


def test_a_slow_reader_does_not_keep_the_port_either(server: Server) -> None:
    """Behaviour 48: orphans have the graceful timeout for all that is left."""
    server.start("-w", "1", "--graceful-timeout", "1")
    with server.connect() as client:
        client.sendall(b"GET /big?say=big HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("big")
        assert client.recv(1)
        server.signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: server.processes() == {})


@pytest.mark.slow
def test_not_even_where_python_is_not_heard(server: Server) -> None:
    """Behaviour 48: C code that never gives the interpreter's lock back."""
    server.start("-w", "1", "-t", "1", "--graceful-timeout", "1")
    with server.connect() as client:
        client.sendall(b"GET /spin?say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        server.signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: server.processes() == {}, within=16 + 5)


def test_a_successor_starts_at_once(server: Server) -> None:
    """Behaviour 48: on the same port, with the same pid file."""
    pid_file = server.directory / "pid"
    server.start("-w", "2", "-p", str(pid_file))
    bind = f"127.0.0.1:{server.port}"
    server.signal(signal.SIGKILL)
    server.wait()
    server.log_path.rename(server.directory / "first.log")
    server.start("-w", "2", "-p", str(pid_file), bind=bind)
    assert server.get("/")[0] == 200
    assert server.stop() == 0


@pytest.mark.slow
def test_no_moment_of_the_start_leaves_a_process_behind(server: Server) -> None:
    """Behaviour 49: not even that in which a worker is forked."""
    chance = random.Random(49)
    for _ in range(12):
        server.start("-w", "8", wait=False)
        time.sleep(chance.uniform(0.15, 0.45))  # the moment is what varies
        server.signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: server.processes() == {}, within=5)


@pytest.mark.slow
def test_no_moment_of_a_roll_leaves_a_process_behind(server: Server) -> None:
    """Behaviour 49."""
    chance = random.Random(50)
    for _ in range(5):
        server.start("-w", "4")
        server.signal(signal.SIGHUP)
        time.sleep(chance.uniform(0.0, 0.6))  # the moment is what varies
        server.signal(signal.SIGKILL)
        server.wait()
        eventually(lambda: server.processes() == {}, within=5)
        server.log_path.unlink()


@pytest.mark.slow
def test_an_application_that_ignores_its_death_is_ended_by_the_kernel(
    server: Server,
) -> None:
    """Behaviour 48: an import that hangs is not told by any loop of ours."""
    server.start("-w", "2", "--no-preload", app="hangs_at_import", wait=False)
    eventually(lambda: len(server.processes()) == 4)
    server.signal(signal.SIGKILL)
    server.wait()
    eventually(lambda: server.processes() == {}, within=5)


def test_a_worker_told_to_leave_by_somebody_else_is_replaced(server: Server) -> None:
    server.start("-w", "2")
    victim = server.workers()[0]
    os.kill(victim, signal.SIGTERM)
    eventually(lambda: victim not in server.workers() and len(server.workers()) == 2)
    assert "lost worker" not in server.log
