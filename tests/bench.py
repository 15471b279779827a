"""CPU time per request, beside gunicorn and uWSGI where they are installed.

Before that, what the scoreboard takes of it, beside its budget.

    python tests/bench.py [--rounds 5] [--seconds 2] [--workers 1]

Every server gets the same application and the same clients, one after the other
in each round, in turned order every second round.  What counts is the CPU time of
its whole process tree (user and system) per request, and that as a ratio to
prefork's in the same round: absolute times say more of the neighbours than of
the servers.
"""

import argparse
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import timeit
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from prefork.monitor.scoreboard import Scoreboard

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
APPLICATION = """
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"Hello, world!\\n"]
"""
CLOSE = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
KEEP = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
CLIENTS = 4
SCOREBOARD_BUDGET = 2.0  # µs a request
WRITE = """
slot.begin(request, now=1_000_000_000, deadline=31_000_000_000)
slot.end(now=1_001_000_000, sent=5000)
slot.is_condemned()
"""
COMMANDS = {
    "prefork": "{python} -m prefork.cli.wsgi -w {workers} -b unix:{path} "
    "--log-level warning app:wsgi",
    "gunicorn": "{python} -m gunicorn -w {workers} -b unix:{path} "
    "--log-level warning --no-control-socket app:wsgi",
    "uwsgi": "{uwsgi} --http-socket {path} --master --processes {workers} "
    "--disable-logging --listen 128 --need-app --die-on-term --module app:wsgi",
}


class Measured:
    """One server under load."""

    def __init__(self, name: str, directory: Path, workers: int) -> None:
        self.name = name
        self.path = str(directory / f"{name}.sock")
        command = COMMANDS[name].format(
            python=sys.executable,
            uwsgi=uwsgi_binary(),
            workers=workers,
            path=self.path,
        )
        self.process = subprocess.Popen(
            command.split(),
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_for(self.path)

    def measure(self, request: bytes, seconds: float) -> tuple[float, float]:
        """CPU microseconds per request, and requests per second."""
        before = cpu_of_tree(self.process.pid)
        counts = [0] * CLIENTS
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=load, args=(self.path, request, until, counts, i))
            for i in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        spent = cpu_of_tree(self.process.pid) - before
        return spent / sum(counts) * 1e6, sum(counts) / seconds

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)


def load(
    path: str, request: bytes, until: float, counts: list[int], which: int
) -> None:
    keeps = request is KEEP
    connection = connect(path) if keeps else None
    while time.monotonic() < until:
        client = connection or connect(path)
        client.sendall(request)
        answer = b""
        while not answer.endswith(b"Hello, world!\n"):
            part = client.recv(65536)
            assert part, f"cut: {answer!r}"
            answer += part
        if connection is None:
            client.close()
        counts[which] += 1
    if connection:
        connection.close()


def connect(path: str) -> socket.socket:
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    return client


def wait_for(path: str) -> None:
    give_up = time.monotonic() + 15
    while True:
        try:
            connect(path).close()
            return
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.05)


def cpu_of_tree(root: int) -> float:
    """Seconds of CPU that a process, its descendants and its dead have used."""
    parents, spent = {}, {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            fields = Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[int(name)] = int(fields[1])
        spent[int(name)] = sum(map(int, fields[11:15])) / TICKS
    return sum(spent[pid] for pid in spent if is_below(pid, root, parents))


def is_below(pid: int, root: int, parents: dict[int, int]) -> bool:
    while pid > 1 and pid != root:
        pid = parents.get(pid, 0)
    return pid == root


def uwsgi_binary() -> str | None:
    beside = Path(sys.executable).with_name("uwsgi")
    return str(beside) if beside.exists() else shutil.which("uwsgi")


def installed() -> list[str]:
    has_gunicorn = subprocess.run(
        [sys.executable, "-c", "import gunicorn"], stderr=subprocess.DEVNULL
    )
    found = ["prefork"]
    found += ["gunicorn"] * (has_gunicorn.returncode == 0)
    return found + ["uwsgi"] * (uwsgi_binary() is not None)


def scoreboard_cost() -> float:
    """Microseconds a request: the best of many, for the rest is the neighbours'."""
    names = {
        "slot": Scoreboard().worker_slot(0),
        "request": b"10.0.0.1 GET /of/some/length",
    }
    times = timeit.repeat(WRITE, globals=names, number=1000, repeat=500)
    return min(times) / 1000 * 1e6


def run(names: list[str], request: bytes, arguments: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "app.py").write_text(APPLICATION)
        servers = [Measured(n, Path(directory), arguments.workers) for n in names]
        costs: dict[str, list[float]] = {name: [] for name in names}
        rates: dict[str, list[float]] = {name: [] for name in names}
        try:
            for turn in range(arguments.rounds):
                for server in servers[:: 1 if turn % 2 else -1]:
                    cost, rate = server.measure(request, arguments.seconds)
                    costs[server.name].append(cost)
                    rates[server.name].append(rate)
        finally:
            for server in servers:
                server.stop()
    for name in names:
        ratios = [a / b for a, b in zip(costs[name], costs["prefork"], strict=True)]
        print(
            f"  {name:10} {statistics.median(costs[name]):8.1f} µs CPU a request"
            f"  {statistics.median(rates[name]):8.0f} requests/s"
            f"  × {statistics.median(ratios):.2f} of prefork"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    cost = scoreboard_cost()
    print(f"scoreboard: {cost:.2f} µs a request, budget {SCOREBOARD_BUDGET} µs")
    names = installed()
    print(f"fresh connections, {arguments.workers} worker(s), unix socket")
    run(names, CLOSE, arguments)
    print("kept-alive connections (gunicorn's sync workers and uWSGI have none)")
    run(["prefork"], KEEP, arguments)


if __name__ == "__main__":
    main()
