"""Scaling with real workers: a burst, a quiet time, nobody at all."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from serving import Server, Site, eventually
from serving.census import Census
from serving.eventually import PATIENCE
from serving.load import Load

pytestmark = [pytest.mark.process, pytest.mark.slow]


def numbers(server: Server) -> list[int]:
    """How many workers were wanted, one after the other."""
    lines = [line for line in server.log.splitlines() if " were=" in line]
    return [int(line.split(" workers=")[1].split()[0]) for line in lines]


@contextmanager
def crowd(server: Server, count: int, path: str) -> Iterator[list[int]]:
    """That many clients, each with one request, all at once; their statuses."""
    statuses: list[int] = []

    def ask() -> None:
        statuses.append(server.get(path, timeout=60)[0])

    threads = [threading.Thread(target=ask) for _ in range(count)]
    for thread in threads:
        thread.start()
    yield statuses
    for thread in threads:
        thread.join()


def test_a_burst_brings_workers_and_a_quiet_time_sends_them_away(
    server: Server,
) -> None:
    """Behaviours 59 and 60."""
    server.start("-w", "1:7", "--idle-timeout", "2")
    with Census(server) as census, crowd(server, 50, "/sleep?s=0.7") as statuses:
        eventually(lambda: len(server.workers()) == 7, within=20)
        grown = numbers(server)  # 2, 4, 7 where the master is not kept waiting
    assert statuses == [200] * 50
    assert max(census.counts) <= 7
    assert (grown[0], grown[-1]) == (2, 7) and grown == sorted(grown)
    eventually(lambda: len(server.workers()) == 2, within=30)
    assert numbers(server) == [*grown, 6, 5, 4, 3, 2]
    assert "lost worker" not in server.log


def test_a_queue_on_a_unix_socket_brings_workers(server: Server) -> None:
    """Behaviour 59; without spare ones it is the queue alone that tells."""
    server.start("-w", "1:4", "--spare-workers", "0", bind="unix:app.sock")
    with callers(server.directory / "app.sock", 8) as clients:
        for client in clients:
            client.sendall(request("/sleep?s=1.5"))
        eventually(lambda: len(server.workers()) >= 3, within=20)
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("scale", ["1:4", "0:4"])
def test_clients_in_the_lobby_of_a_busy_worker_bring_workers(
    server: Server, scale: str
) -> None:
    """Those who wait there are in no queue of the kernel."""
    server.start("-w", scale, "--spare-workers", "0", bind="unix:app.sock")
    with callers(server.directory / "app.sock", 6) as clients:
        for client in clients:  # one after the other, so that all are kept
            client.sendall(request("/"))
            assert client.recv(65536).endswith(b"hello\n")
        for client in clients:
            client.sendall(request("/sleep?s=3"))
        eventually(lambda: len(server.workers()) >= 3, within=20)
        for client in clients:
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")


@contextmanager
def callers(path: Path, count: int) -> Iterator[list[socket.socket]]:
    """That many connections to a unix socket."""
    with ExitStack() as stack:
        clients = []
        for _ in range(count):
            clients.append(stack.enter_context(socket.socket(socket.AF_UNIX)))
            clients[-1].settimeout(60)
            clients[-1].connect(str(path))
        yield clients


def request(target: str) -> bytes:
    return f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode()


def test_a_static_number_stays(server: Server) -> None:
    server.start("-w", "2", "--idle-timeout", "0.5")
    with crowd(server, 12, "/sleep?s=0.3"):
        pass
    assert len(server.workers()) == 2
    assert numbers(server) == []


def test_who_leaves_takes_no_request_along(server: Server) -> None:
    """Behaviour 60: under a load that comes and goes nobody is cut."""
    server.start("-w", "1:6", "--idle-timeout", "0.4")
    paths = ("/", "/sleep?s=0.05", "/sleep?s=0.2")
    for seed in range(4):
        with Load(server, clients=6, paths=paths, seed=seed) as busy:
            eventually(lambda: len(server.workers()) >= 4, within=20)
        with Load(server, clients=1, paths=paths, pause=0.05, seed=seed) as calm:
            eventually(lambda: len(server.workers()) <= 3, within=60)
        assert busy.failures == calm.failures == []
    assert "lost worker" not in server.log
    assert server.stop() == 0


def test_a_load_that_comes_and_goes_finds_its_workers(server: Server) -> None:
    """Behaviour 61: who is missed each time stays; else four would go and come."""
    server.start("-w", "1:6", "--idle-timeout", "1")
    started: list[int] = []
    while len(started) < 3 or started[-3] != started[-1]:
        assert len(started) < 20, started
        with Load(server, clients=5, paths=["/sleep?s=0.1"]) as busy:
            eventually(lambda: len(server.workers()) >= 5, within=20)
        time.sleep(1.6)  # nobody comes: some would leave
        assert busy.failures == []
        started.append(server.log.count("info started worker"))
    assert "lost worker" not in server.log


# On demand


def test_when_nobody_comes_the_last_worker_leaves_and_a_caller_brings_it_back(
    server: Server,
) -> None:
    """Behaviour 62."""
    server.start("-w", "0:4", "--idle-timeout", "0.5")
    for _ in range(2):
        eventually(lambda: server.workers() == [])
        began = time.monotonic()
        assert server.get("/") == (200, b"hello\n")
        assert time.monotonic() - began < 1.0 * PATIENCE
    eventually(lambda: server.workers() == [])
    assert server.stop() == 0


def test_a_crowd_brings_more_than_one_worker_and_all_leave_again(
    server: Server,
) -> None:
    """Behaviour 62."""
    server.start("-w", "0:8", "--idle-timeout", "1")
    eventually(lambda: server.workers() == [])
    with crowd(server, 20, "/sleep?s=0.5") as statuses:
        eventually(lambda: max(numbers(server)) > 1)
    assert statuses == [200] * 20
    eventually(lambda: server.workers() == [], within=30)


def test_on_demand_on_a_unix_socket_too(server: Server) -> None:
    """Behaviour 62."""
    server.start("-w", "0:2", "--idle-timeout", "0.5", bind="unix:app.sock")
    eventually(lambda: server.workers() == [])
    with callers(server.directory / "app.sock", 1) as (caller,):
        caller.sendall(request("/"))
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 OK")
    eventually(lambda: server.workers() == [])
    assert server.stop() == 0


def test_a_master_without_workers_does_nothing(server: Server) -> None:
    """It waits: a listener that it watched in vain would cost a whole processor."""
    server.start("-w", "0:2", "--idle-timeout", "0.5")
    eventually(lambda: server.workers() == [])
    before = cpu_seconds(server.pid)
    time.sleep(2)  # what is measured
    assert cpu_seconds(server.pid) - before < 0.3


@pytest.mark.parametrize("number", [signal.SIGWINCH, signal.SIGTERM])
def test_a_master_that_waits_for_the_last_request_does_nothing_else(
    server: Server, number: int
) -> None:
    """It takes no samples, and does not wait for the next one either."""
    server.start("-w", "1:4")
    with crowd(server, 1, "/sleep?s=3&say=asleep"):
        server.wait_log("asleep")
        server.signal(number)
        server.wait_log("received signal")
        before = cpu_seconds(server.pid)
        time.sleep(1.5)  # what is measured
        assert cpu_seconds(server.pid) - before < 0.3
    server.signal(signal.SIGTERM)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_caller_who_leaves_at_once_is_no_reason_to_fail(server: Server) -> None:
    """Behaviour 57."""
    server.start("-w", "0:2", "--idle-timeout", "0.5")
    for _ in range(3):
        eventually(lambda: server.workers() == [])
        started = server.log.count("info started worker")
        server.connect().close()
        eventually(lambda n=started: server.log.count("info started worker") > n)
    eventually(lambda: server.workers() == [])
    assert server.get("/")[0] == 200


def test_a_reload_while_nobody_works_serves_the_next_caller_with_new_code(
    server: Server,
) -> None:
    """Behaviour 21."""
    server.start("-w", "0:2", "--idle-timeout", "0.5")
    eventually(lambda: server.workers() == [])
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit", within=20)
    eventually(lambda: server.workers() == [])
    assert server.get("/")[0] == 200
    server.wait_log("info started worker .* generation=2")
    assert server.workers(1) == []


def test_after_winch_nobody_answers_whoever_calls(server: Server) -> None:
    server.start("-w", "0:2", "--idle-timeout", "0.5")
    eventually(lambda: server.workers() == [])
    server.signal(signal.SIGWINCH)
    server.wait_log("retiring all workers")
    with server.connect() as caller:
        caller.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.signal(signal.SIGHUP)
        assert caller.recv(65536).startswith(b"HTTP/1.1 200 OK")


# By hand


def test_ttin_and_ttou_move_both_ends(server: Server) -> None:
    server.start("-w", "1:2", "--idle-timeout", "0.5")
    server.signal(signal.SIGTTIN)
    server.wait_log("scaling workers=2:3")
    eventually(lambda: len(server.workers()) == 2)
    server.signal(signal.SIGTTOU)
    server.wait_log("scaling workers=1:2")
    server.signal(signal.SIGTTOU)
    server.wait_log("warning cannot scale workers=0:1")


def test_ttou_outlives_a_reload_but_not_the_last_worker(server: Server) -> None:
    """Behaviour 64: of what the new settings say there is not so much to take away."""
    site = Site(server.directory)
    site.configure(workers=3)
    server.start(app=site.app, env=site.env)
    for left in (2, 1):
        server.signal(signal.SIGTTOU)
        eventually(lambda n=left: len(server.workers()) == n)
    site.configure(workers=1)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    eventually(lambda: len(server.workers(2)) == len(server.workers()) == 1)
    assert server.get("/")[0] == 200
    server.signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) == 2)


def test_ttin_keeps_one_where_nobody_had_to_be(server: Server) -> None:
    server.start("-w", "0:2", "--idle-timeout", "0.5")
    eventually(lambda: server.workers() == [])
    server.signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) == 1)
    server.signal(signal.SIGTTOU)
    eventually(lambda: server.workers() == [])
    server.signal(signal.SIGTTOU)
    server.wait_log("warning cannot scale workers=-1:1")
