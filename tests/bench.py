"""CPU time per request, beside gunicorn and uWSGI where they are installed.

Before that, what the scoreboard takes of it, beside its budget.

    python tests/bench.py [--rounds 5] [--seconds 2] [--workers 1] [PROTOCOL...]

Every server gets the same application and the same clients, one after the other
in each round, in turned order every second round.  What counts is the CPU time of
its whole process tree (user and system) per request, and that as a ratio to
prefork's in the same round: absolute times say more of the neighbours than of
the servers.
"""

import argparse
import itertools
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
from prefork.protocols import fastcgi_records as fastcgi

ROOT = Path(__file__).parents[1]
TICKS = os.sysconf("SC_CLK_TCK")
APPLICATION = """
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "14")])
    return [b"Hello, world!\\n"]
"""
BODY = b"Hello, world!\n"
KEEP = [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"]
CLIENTS = 4
SCOREBOARD_BUDGET = 2.0  # µs a request
WRITE = """
slot.begin(request, now=1_000_000_000, deadline=31_000_000_000)
slot.end(now=1_001_000_000, sent=5000)
slot.is_condemned()
"""
UWSGI = (
    "{uwsgi} {option} {path} --master --processes {workers} --disable-logging "
    "--listen 128 --need-app --die-on-term --module app:wsgi"
)
UWSGI_OPTIONS = {
    "http": "--http-socket",
    "fastcgi": "--fastcgi-socket",
    "scgi": "--scgi-socket",
    "uwsgi": "--uwsgi-socket",
}
COMMANDS = {
    "prefork": "{python} -m prefork.cli.wsgi -w {workers} -b {protocol}+unix:{path} "
    "--log-level warning app:wsgi",
    "gunicorn": "{python} -m gunicorn -w {workers} -b unix:{path} "
    "--log-level warning --no-control-socket app:wsgi",
    "uwsgi": UWSGI,
}
# What nginx sends with its stock parameters, and a browser through it.
PARAMETERS = {
    "QUERY_STRING": "",
    "REQUEST_METHOD": "GET",
    "CONTENT_TYPE": "",
    "CONTENT_LENGTH": "",
    "REQUEST_URI": "/",
    "PATH_INFO": "/",
    "DOCUMENT_ROOT": "/usr/share/nginx/html",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REQUEST_SCHEME": "http",
    "REMOTE_ADDR": "127.0.0.1",
    "REMOTE_PORT": "",
    "SERVER_PORT": "80",
    "SERVER_NAME": "localhost",
}
FIELDS = {
    "Host": "localhost",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br",
}


def word_http(port: int) -> bytes:
    fields = FIELDS | {"Connection": "close"}
    lines = [f"{name}: {value}" for name, value in fields.items()]
    return "\r\n".join(["GET / HTTP/1.1", *lines, "", ""]).encode()


def pairs_of(port: int) -> dict[str, str]:
    fields = {f"HTTP_{k.upper().replace('-', '_')}": v for k, v in FIELDS.items()}
    return PARAMETERS | {"REMOTE_PORT": str(port)} | fields


def word_fastcgi(port: int) -> bytes:
    pairs = fastcgi.format_pairs(list(pairs_of(port).items()))
    return b"".join(
        (
            fastcgi.format_begin(1),
            fastcgi.format_stream(fastcgi.PARAMS, 1, pairs),
            fastcgi.format_record(fastcgi.PARAMS, 1),
            fastcgi.format_record(fastcgi.STDIN, 1),
        )
    )


def word_scgi(port: int) -> bytes:
    first = {"CONTENT_LENGTH": "0", "SCGI": "1"}  # it must stand there
    pairs = first | pairs_of(port) | first
    text = "".join(f"{name}\0{value}\0" for name, value in pairs.items())
    return f"{len(text)}:{text},".encode()


def word_uwsgi(port: int) -> bytes:
    texts = [text.encode() for pair in pairs_of(port).items() for text in pair]
    packet = b"".join(len(text).to_bytes(2, "little") + text for text in texts)
    return b"\0" + len(packet).to_bytes(2, "little") + b"\0" + packet


# Each client of nginx has a port of its own.
REQUESTS = {
    "http": [word_http(port) for port in range(50000, 50100)],
    "fastcgi": [word_fastcgi(port) for port in range(50000, 50100)],
    "scgi": [word_scgi(port) for port in range(50000, 50100)],
    "uwsgi": [word_uwsgi(port) for port in range(50000, 50100)],
}


class Measured:
    """One server under load."""

    def __init__(self, name: str, protocol: str, directory: Path, workers: int) -> None:
        self.name = name
        self.path = str(directory / f"{name}.sock")
        command = COMMANDS[name].format(
            python=sys.executable,
            uwsgi=uwsgi_binary(),
            option=UWSGI_OPTIONS[protocol],
            protocol=protocol,
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

    def measure(self, requests: list[bytes], seconds: float) -> tuple[float, float]:
        """CPU microseconds per request, and requests per second."""
        before = cpu_of_tree(self.process.pid)
        counts = [0] * CLIENTS
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=load, args=(self.path, requests, until, counts, i))
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
    path: str, requests: list[bytes], until: float, counts: list[int], which: int
) -> None:
    connection = connect(path) if requests is KEEP else None
    for request in itertools.cycle(requests):
        if time.monotonic() > until:
            break
        client = connection or connect(path)
        client.sendall(request)
        answer = b""
        while not (connection and answer.endswith(BODY)):
            part = client.recv(65536)
            if not part:
                break
            answer += part
        assert BODY in answer, f"cut: {answer!r}"
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


def installed(protocol: str) -> list[str]:
    has_gunicorn = subprocess.run(
        [sys.executable, "-c", "import gunicorn"], stderr=subprocess.DEVNULL
    )
    found = ["prefork"]
    found += ["gunicorn"] * (protocol == "http" and has_gunicorn.returncode == 0)
    return found + ["uwsgi"] * (uwsgi_binary() is not None)


def scoreboard_cost() -> float:
    """Microseconds a request: the best of many, for the rest is the neighbours'."""
    names = {
        "slot": Scoreboard().worker_slot(0),
        "request": b"10.0.0.1 GET /of/some/length",
    }
    times = timeit.repeat(WRITE, globals=names, number=1000, repeat=500)
    return min(times) / 1000 * 1e6


def run(
    names: list[str],
    protocol: str,
    requests: list[bytes],
    arguments: argparse.Namespace,
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "app.py").write_text(APPLICATION)
        place, workers = Path(directory), arguments.workers
        servers = [Measured(name, protocol, place, workers) for name in names]
        costs: dict[str, list[float]] = {name: [] for name in names}
        rates: dict[str, list[float]] = {name: [] for name in names}
        try:
            for turn in range(arguments.rounds):
                for server in servers[:: 1 if turn % 2 else -1]:
                    cost, rate = server.measure(requests, arguments.seconds)
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
    parser.add_argument("protocols", nargs="*", metavar="PROTOCOL")
    arguments = parser.parse_args()
    cost = scoreboard_cost()
    print(f"scoreboard: {cost:.2f} µs a request, budget {SCOREBOARD_BUDGET} µs")
    for protocol in arguments.protocols or REQUESTS:
        print(f"{protocol}, {arguments.workers} worker(s), fresh connections, unix")
        run(installed(protocol), protocol, REQUESTS[protocol], arguments)
    print("http, kept-alive (gunicorn's sync workers and uWSGI have none)")
    run(["prefork"], "http", KEEP, arguments)


if __name__ == "__main__":
    main()
