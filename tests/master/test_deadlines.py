"""The deadline of a request, and a master that was away for a while."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from serving import Load, Server, Site, eventually
from serving.eventually import PATIENCE

pytestmark = [pytest.mark.process, pytest.mark.slow]


def cut_request(server: Server, path: str) -> float:
    """Ask for what is never answered; after how many seconds it was cut."""
    with server.connect(timeout=20) as client:
        began = time.monotonic()
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        try:
            assert client.recv(65536) == b""
        except ConnectionResetError:
            pass
        return time.monotonic() - began


@pytest.mark.parametrize(
    ("path", "frame"),
    [
        ("/sleep?s=60", "in sleep"),  # in a system call
        ("/spin", "in spin"),  # in C, with the interpreter's lock held
    ],
)
def test_an_overdue_request_is_dumped_and_cut(
    server: Server, path: str, frame: str
) -> None:
    """Behaviour 66."""
    log = ("--access-logfile", str(server.directory / "access"))
    server.start("-w", "1", "-t", "1", *log, "--access-logformat", "%(r)s %(s)s %(L)s")
    assert 0.9 < cut_request(server, path) < 4 * PATIENCE
    assert frame in server.log
    assert re.search(
        rf'aborting worker .* reason="request over its 1 s deadline" '
        rf'request="127.0.0.1 GET {re.escape(path)}"',
        server.log,
    )
    cause = 'cause="killed by prefork: request over its 1 s deadline"'
    server.wait_log(rf"lost worker {cause} .* request_seconds=\S+")
    eventually(lambda: server.get("/")[0] == 200)
    eventually(lambda: (server.directory / "access").read_text().count("\n") >= 2)
    lines = (server.directory / "access").read_text().splitlines()
    (line,) = [line for line in lines if path in line]
    *_, status, seconds = line.split()
    assert status == "504" and 0.9 < float(seconds) < 4 * PATIENCE


def test_a_worker_that_is_deaf_to_abrt_is_killed(server: Server) -> None:
    """Behaviour 43, for a deadline."""
    server.start("-w", "1", "-t", "1")
    assert cut_request(server, "/deaf?s=60") < 6 * PATIENCE
    eventually(lambda: server.get("/")[0] == 200)


def test_a_stopped_worker_is_killed_at_its_deadline(server: Server) -> None:
    """Behaviour 50."""
    server.start("-w", "1", "-t", "1")
    (worker,) = server.workers()
    with server.connect(timeout=20) as client:
        client.sendall(b"GET /sleep?s=60&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        os.kill(worker, signal.SIGSTOP)
        eventually(lambda: worker not in server.workers())
    eventually(lambda: server.get("/")[0] == 200)


def test_the_next_request_is_never_punished(server: Server) -> None:
    """Behaviour 69: the deadline passes in the moment in which a request ends."""
    server.start("-w", "1", "-t", "0.4")
    for number in range(24):
        seconds = 0.4 + (number - 12) * 0.005
        with server.connect() as first:
            target = f"/sleep?s={seconds:.3f}&say=asleep"
            first.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            eventually(lambda n=number: server.log.count("asleep\n") == n + 1)
            with server.connect() as second:  # who waits outside, whatever happens
                # Punished it is cut at once; kept waiting, by the machine, it is not.
                second.sendall(b"GET /extend?by=9&s=0.1 HTTP/1.1\r\nHost: x\r\n\r\n")
                try:
                    first.recv(65536)  # whether it is answered is not the question
                except ConnectionResetError:
                    pass
                assert second.recv(65536).endswith(b"slept\n")


def test_a_request_without_a_deadline_takes_its_time(server: Server) -> None:
    server.start("-w", "1", "-t", "0")
    assert server.get("/sleep?s=3") == (200, b"slept\n")
    assert "lost worker" not in server.log


def test_a_slow_client_is_not_the_application_s_fault(server: Server) -> None:
    """The time that a client takes for its body does not count."""
    server.start("-w", "1", "-t", "3", "--body-buffer", "0")
    with server.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\n")
        for byte in b"slowly":
            time.sleep(0.7)  # it is the client that is tested
            client.sendall(bytes([byte]))
        assert client.recv(65536).endswith(b"slowly")
    assert "lost worker" not in server.log


def test_a_master_that_was_stopped_kills_nobody(server: Server) -> None:
    """Behaviour 50."""
    server.start("-w", "2", "-t", "3")
    workers = server.workers()
    with Load(server, clients=3, paths=["/", "/sleep?s=0.5"]) as load:
        server.signal(signal.SIGSTOP)
        with server.connect() as client:  # overdue while the master is away
            client.sendall(b"GET /sleep?s=5 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"slept" in client.recv(65536)
            # Who has its answer may still be served, for the scoreboard.
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in client.recv(65536)
        server.signal(signal.SIGCONT)
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 20)
    assert load.failures == []
    assert server.workers() == workers
    assert server.stop() == 0


def test_a_master_that_was_stopped_undoes_no_reload(server: Server) -> None:
    """Behaviours 24 and 50: what was imported meanwhile was imported in time."""
    site = Site(server.directory)
    arguments = ["-w", "1", "--boot-timeout", "5"]
    server.start(*arguments, app=site.app, env=site.env)
    site.publish("2", WAITS)
    server.signal(signal.SIGHUP)
    eventually((server.directory / "begun").exists)
    server.signal(signal.SIGSTOP)
    (server.directory / "go-on").touch()
    time.sleep(5.5)  # longer than an import may take
    server.signal(signal.SIGCONT)
    server.wait_log("reload failed|phase=commit")
    assert "reload failed" not in server.log
    assert server.stop() == 0


WAITS = """
import os, time
open("begun", "w").close()
while not os.path.exists("go-on"):
    time.sleep(0.01)
"""


def test_a_leap_of_the_wall_clock_kills_and_replaces_nobody(server: Server) -> None:
    """Behaviour 51."""
    server.directory.joinpath("sitecustomize.py").write_text(LEAPING_CLOCK)
    paths = [str(server.directory), *map(str, PATHS)]
    server.start(
        *("-w", "2", "-t", "3", "--max-lifetime", "3600"),
        env={"PYTHONPATH": ":".join(paths)},
    )
    workers = server.workers()
    with Load(server, clients=2, paths=["/", "/sleep?s=0.2"]) as load:
        for leap in ("86400", "-86400"):
            server.directory.joinpath("next-leap").write_text(leap)
            server.directory.joinpath("next-leap").rename(server.directory / "leap")
            time.sleep(3.5)  # longer than any deadline here
    assert load.failures == []
    assert server.workers() == workers
    assert server.stop() == 0


PATHS = (Path(__file__).parents[2], Path(__file__).parents[1] / "programs")
LEAPING_CLOCK = """
import time
from pathlib import Path

real, LEAP = time.time, Path(__file__).with_name("leap")


def leap():
    return float(LEAP.read_text()) if LEAP.exists() else 0.0


time.time = lambda: real() + leap()
"""


def test_the_clock_of_that_test_does_leap(server: Server) -> None:
    """Or the test above would prove nothing."""
    server.directory.joinpath("sitecustomize.py").write_text(LEAPING_CLOCK)
    server.directory.joinpath("leap").write_text("-864000000")
    paths = [str(server.directory), *map(str, PATHS)]
    server.start("-w", "1", env={"PYTHONPATH": ":".join(paths)})
    assert "1999-" in server.log


def test_an_idle_worker_is_blamed_for_no_request(server: Server) -> None:
    """Behaviour 12: its last one is over, whatever keeps it from leaving."""
    site = Site(server.directory)
    site.publish("1", "import atexit, time; atexit.register(time.sleep, 60)")
    server.start("-w", "1", "--graceful-timeout", "1", app=site.app, env=site.env)
    assert server.get("/")[0] == 200
    server.stop()
    (line,) = re.findall("aborting worker .*", server.log)
    assert line.endswith('reason="over its graceful timeout"')


def test_on_a_unix_socket_a_request_has_no_peer(server: Server) -> None:
    server.start("-w", "1", "-t", "1", bind="unix:app.sock")
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(server.directory / "app.sock"))
        client.sendall(b"GET /sleep?s=60 HTTP/1.1\r\nHost: x\r\n\r\n")
        for event in ("aborting", "lost"):
            server.wait_log(f'{event} worker .* request="GET /sleep')
