"""CPU time of a request for a CGI program, beside the barest launcher in C.

    python tests/cgi_bench.py [--rounds 7] [--requests 200]

The launcher forks, executes, reads a pipe and waits, and does nothing for anybody.
Beside it are the gateway, from a request to its document, and all of a worker, over
HTTP on a unix socket.  All run the same small program, one after the other in each
round; what counts is the CPU time of all that takes part, and its ratio to the
launcher's in the same round: of the gateway at most 1.3.
"""

import argparse
import io
import os
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.path.insert(0, str(Path(__file__).parents[1]))

from serving.reply import Recorder
from serving.server import Server

from prefork.gateways.cgi import Cgi
from prefork.gateways.cgi_site import Site
from prefork.protocols.request import Request
from prefork.system import program
from prefork.system.scratch import open_scratch

BUDGET = 1.3
PROGRAM = r"""
#include <stdio.h>
int main(void) { puts("Content-Type: text/plain\n\nHello, world!"); }
"""
LAUNCHER = r"""
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    char *words[] = {argv[2], 0}, *environment[] = {"REQUEST_METHOD=GET", 0};
    static char output[65536];
    for (int left = atoi(argv[1]); left > 0; left--) {
        int ends[2];
        if (pipe(ends)) return 1;
        pid_t pid = fork();
        if (pid == 0) {
            dup2(ends[1], 1);
            close(ends[0]);
            close(ends[1]);
            execve(argv[2], words, environment);
            _exit(1);
        }
        close(ends[1]);
        while (read(ends[0], output, sizeof output) > 0) { }
        close(ends[0]);
        waitpid(pid, 0, 0);
    }
}
"""
VARIABLES = {
    "REQUEST_METHOD": "GET",
    "SCRIPT_NAME": "",
    "PATH_INFO": "/hello",
    "QUERY_STRING": "",
    "REQUEST_URI": "/hello",
    "SERVER_NAME": "localhost",
    "SERVER_PORT": "80",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "REMOTE_ADDR": "192.0.2.1",
}
REQUEST = b"GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n"


def compile_c(text: str, path: Path) -> Path:
    command = ["gcc", "-O2", "-x", "c", "-o", str(path), "-"]
    subprocess.run(command, input=text.encode(), check=True)
    return path


def cpu_seconds(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def time_launcher(launcher: Path, program: Path, requests: int) -> float:
    """Seconds of CPU time a request."""
    before = cpu_seconds(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [launcher, str(requests), program], check=True, stdout=subprocess.DEVNULL
    )
    return (cpu_seconds(resource.RUSAGE_CHILDREN) - before) / requests


def time_gateway(gateway: Cgi, requests: int) -> float:
    """The same, of ours and of the programs that it has waited for."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    before = sum(map(cpu_seconds, both))
    for _ in range(requests):
        reply = Deaf()
        request = Request(dict(VARIABLES), body=None, rest=b"", keep_alive=False)
        gateway(request, io.BytesIO(), reply)  # type: ignore[arg-type]
        assert reply.started
    return (sum(map(cpu_seconds, both)) - before) / requests


class Deaf(Recorder):
    """A reply to nobody, who never leaves and takes everything at once."""

    is_full = False
    lull = patience = 0.0

    def watch(self) -> tuple[int, int]:
        return sys.stdin.fileno(), 0


def open_gateway(programs: Path) -> Cgi:
    return Cgi(
        Site(str(programs)),
        start=program.start,
        open_scratch=open_scratch,
        complain=print,
        runs=lambda pid: None,
        alive=lambda seconds: None,
        patience=60.0,
        extra={},
        limits={},
    )


def time_server(path: Path, worker: int, requests: int) -> float:
    """The same, of the worker and of all programs that it has waited for."""
    before = read_cpu(worker)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(path))
        for _ in range(requests):
            connection.sendall(REQUEST)
            read_answer(connection)
    return (read_cpu(worker) - before) / requests


def read_answer(connection: socket.socket) -> None:
    answer = b""
    while not answer.endswith((b"world!\n", b"\r\n0\r\n\r\n")) or (
        b"chunked" in answer and not answer.endswith(b"\r\n0\r\n\r\n")
    ):
        answer += connection.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200")


def read_cpu(pid: int) -> float:
    """Seconds of a process, and of the children it has reaped: proc_pid_stat(5)."""
    fields = Path(f"/proc/{pid}/schedstat"), Path(f"/proc/{pid}/stat")
    children = fields[1].read_text().rpartition(")")[2].split()[13:15]
    ticks = sum(map(int, children)) / os.sysconf("SC_CLK_TCK")
    return int(fields[0].read_text().split()[0]) / 1e9 + ticks


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--requests", type=int, default=200)
    options = parser.parse_args()
    if not shutil.which("gcc"):
        print("CGI programs: left out, since gcc is not installed")
        return 0
    with tempfile.TemporaryDirectory(prefix="cgi-bench-") as place:
        ratio = measure(Path(place), options.rounds, options.requests)
    return int(ratio > BUDGET)


def measure(place: Path, rounds: int, requests: int) -> float:
    """Print the ratios; return the gateway's."""
    programs, path = place / "cgi-bin", place / "http.sock"
    programs.mkdir()
    hello = compile_c(PROGRAM, programs / "hello")
    launcher = compile_c(LAUNCHER, place / "launcher")
    gateway = open_gateway(programs)
    server = Server(place)
    server.start(
        *("-w", "1"), app=str(programs), bind=f"unix:{path}", program="prefork.cli.cgi"
    )
    try:
        worker = server.workers()[0]
        rows = [
            (
                time_launcher(launcher, hello, requests),
                time_gateway(gateway, requests),
                time_server(path, worker, requests),
            )
            for _ in range(rounds + 1)
        ][1:]  # the first is for warming up
    finally:
        server.stop()
        server.clean_up()
    ratios = [
        statistics.median(row[at] / row[0] for row in rows)
        for at in range(len(rows[0]))
    ]
    barest = statistics.median(row[0] for row in rows) * 1e6
    print(
        f"a CGI program: launcher in C {barest:.0f} µs of CPU time, gateway "
        f"{ratios[1]:.2f} times that (at most {BUDGET}), whole worker {ratios[2]:.2f}"
    )
    return ratios[1]


if __name__ == "__main__":
    sys.exit(main())
