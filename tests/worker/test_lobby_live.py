"""The lobby of real workers: whom they let wait, and whom they do not."""

import hashlib
import os
import signal
import socket
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from serving import Load, Server, eventually
from serving.eventually import PATIENCE

pytestmark = pytest.mark.process

MEGABYTE = 1 << 20


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(server: Server, stack: ExitStack, data: bytes = b"") -> socket.socket:
    """A connection that stays until the end of the test."""
    connection = stack.enter_context(server.connect())
    connection.sendall(data)
    return connection


def pid_that_answers(server: Server) -> int:
    return int(server.get("/pid")[1])


def seconds_of(action: Callable[[], object]) -> float:
    before = time.monotonic()
    action()
    return time.monotonic() - before


@pytest.mark.slow
def test_a_crowd_that_waits_keeps_nobody_waiting(
    server: Server, stack: ExitStack
) -> None:
    """One worker; the patient and the hostile cost it a descriptor each."""
    server.start("-w", "1", "--header-timeout", "60")
    (worker,) = server.workers()
    for _ in range(500):
        connect(server, stack)
    for number in range(50):
        connect(server, stack, b"GET /%d HTTP/1.1\r\nHost:" % number)
    for _ in range(20):
        connect(server, stack, b"GET /big?size=10485760 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert server.get()[0] == 200  # whoever came before has been let in by now
    took = [seconds_of(server.get) for _ in range(9)]
    assert statistics.median(took) < 0.25 * PATIENCE
    assert server.workers() == [worker]


@pytest.mark.slow
def test_idle_workers_share_the_work(server: Server) -> None:
    """Behaviour 52: 6 idle workers, some hundred connections one after the other."""
    server.start("-w", "6")
    served = Counter[int]()
    while len(served) < 6 or min(served.values()) < 50:
        served[pid_that_answers(server)] += 1
        assert served.total() < 3000, served
    assert sorted(served) == sorted(server.workers())
    # Without moving to the end of the line one has them all.  On a machine that others
    # use a worker may find the next client there before it sleeps, and stays in front.
    assert max(served.values()) < served.total() / 2, served


def test_a_connection_whose_worker_dies_is_served_by_another(server: Server) -> None:
    """Behaviour 53: between wake-up and accept.

    Of stopped workers one was woken, and cannot accept; it is killed.
    """
    server.start("-w", "3")
    workers = server.workers()
    for pid in workers[:2]:
        os.kill(pid, signal.SIGSTOP)
    try:
        took = [seconds_of(server.get) for _ in range(4)]
    finally:
        for pid in workers[:2]:
            os.kill(pid, signal.SIGKILL)
    assert max(took) < 2.5 * PATIENCE


def test_a_busy_worker_does_not_keep_a_connection(server: Server) -> None:
    server.start("-w", "2")
    with ExitStack() as stack:
        connect(server, stack, b"GET /sleep?s=30 HTTP/1.1\r\nHost: x\r\n\r\n")
        took = [seconds_of(server.get) for _ in range(20)]
    assert max(took) < 10


@pytest.mark.slow
def test_a_flooded_listener_leaves_the_other_alone(
    server: Server, stack: ExitStack
) -> None:
    """Behaviour 54: TCP under flood, and a unix socket beside it."""
    name = f"prefork-test-{server.mark}"
    server.start("-w", "2", "-b", f"unix:@{name}")
    stop = threading.Event()

    def flood() -> None:
        while not stop.is_set():
            server.raw(b"GET / HTTP/1.0\r\n\r\n")

    floods = [threading.Thread(target=flood) for _ in range(8)]
    for thread in floods:
        thread.start()

    def ask() -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(10)
            connection.connect(f"\0{name}")
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            assert connection.recv(12) == b"HTTP/1.1 200"

    try:
        took = [seconds_of(ask) for _ in range(100)]
    finally:
        stop.set()
        for thread in floods:
            thread.join()
    assert sorted(took)[98] < 1.0 * PATIENCE


# Signals in the middle of a transfer


@pytest.fixture
def storm() -> Iterator[Callable[[int], list[int]]]:
    """Send a process HUPs, a thousand a second or so, until the test ends."""
    stop = threading.Event()
    threads: list[threading.Thread] = []
    sent = [0]

    def blow(pid: int) -> list[int]:
        def run() -> None:
            while not stop.wait(0.0003):
                os.kill(pid, signal.SIGHUP)
                sent[0] += 1

        threads.append(threading.Thread(target=run))
        threads[0].start()
        return sent

    yield blow
    stop.set()
    for thread in threads:
        thread.join()


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/big?size=104857600", "/file"])
def test_a_download_in_a_storm_of_signals_is_whole(
    server: Server, storm: Callable[[int], list[int]], path: str
) -> None:
    """Behaviour 79."""
    expected = b"x" * (100 * MEGABYTE)
    if path == "/file":
        expected = os.urandom(MEGABYTE) * 100
        file = server.directory / "download"
        file.write_bytes(expected)
        path += f"?path={file}"
    server.start("-w", "1")
    (worker,) = server.workers()
    sent = storm(worker)
    received = b""
    for _ in range(10):
        status, received = server.get(path, timeout=60)
        assert status == 200
        assert hashlib.md5(received).digest() == hashlib.md5(expected).digest()
        if sent[0] >= 1000:
            break
    assert sent[0] >= 1000
    assert server.workers() == [worker]


@pytest.mark.slow
@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_an_upload_in_a_storm_of_signals_is_whole(
    server: Server, storm: Callable[[int], list[int]], framing: str
) -> None:
    """Behaviour 79."""
    server.start("-w", "1", "--max-body", "0")
    (worker,) = server.workers()
    block = os.urandom(MEGABYTE)
    head = b"POST /digest HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    if framing == "length":
        head += b"Content-Length: %d\r\n\r\n" % (100 * MEGABYTE)
        part, end = block, b""
    else:
        head += b"Transfer-Encoding: chunked\r\n\r\n"
        part, end = b"%x\r\n" % MEGABYTE + block + b"\r\n", b"0\r\n\r\n"
    sent = storm(worker)
    with server.connect(timeout=60) as connection:
        connection.sendall(head)
        for _ in range(99):
            connection.sendall(part)
            time.sleep(0.01)
        eventually(lambda: sent[0] >= 1000)
        connection.sendall(part)
        connection.sendall(end)
        answer = connection.recv(65536)
    assert answer.endswith(hashlib.md5(block * 100).hexdigest().encode())
    assert server.workers() == [worker]


# Applications that meddle


@pytest.mark.slow
def test_a_listener_made_blocking_keeps_nobody_waiting(
    server: Server, stack: ExitStack
) -> None:
    """Behaviour 58: by a careless library, in a worker that the others share with.

    A worker that blocks in accept() hears nobody inside, and no TERM.
    """
    server.start("-w", "2", "-b", f"unix:@prefork-test-{server.mark}")
    inside = connect(server, stack)
    assert server.get("/unblock-listeners") == (200, b"flipped\n")
    for _ in range(4):
        connect(server, stack)
    time.sleep(1.2)  # idle workers try their doors twice a second
    inside.sendall(b"GET / HTTP/1.0\r\n\r\n")
    inside.settimeout(5)
    assert inside.recv(12) == b"HTTP/1.1 200"
    took = [seconds_of(server.get) for _ in range(10)]
    assert max(took) < 1 * PATIENCE
    assert server.stop() == 0


def test_a_worker_does_not_care_how_its_application_patches_modules(
    server: Server,
) -> None:
    server.start("-w", "1", app="patched:wsgi")
    worker = pid_that_answers(server)
    seconds = seconds_of(lambda: [server.get("/pid") for _ in range(5)])
    assert seconds < 4 * PATIENCE
    assert pid_that_answers(server) == worker
    assert seconds_of(server.stop) < 4 * PATIENCE
    assert "lost worker" not in server.log


@pytest.mark.slow
def test_kept_clients_who_never_pause_keep_no_newcomer_out(server: Server) -> None:
    """Behaviour 51.  Both workers always have another request of a kept client:
    whoever stands at the door must be taken in all the same."""
    server.start("-w", "2")
    with Load(server, clients=16, paths=["/sleep?s=0.005"]) as load:
        # Half of them keep their connection; the others knock for each request.
        for _ in range(10):
            server.get("/pid")
    assert load.failures == []
    assert load.longest < 2.5 * PATIENCE
