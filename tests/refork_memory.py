"""What a refork saves: the memory of eight workers of the Django admin.

    python tests/refork_memory.py [--workers N] [--requests N]

USS is what a worker has for itself; PSS also counts its part of what is shared.
The workers of both servers have served as many requests each when they are measured.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGKILL

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]

import psutil
from serving import Server, eventually
from serving.server import PROGRAMS, ROOT

PAGES = (
    "/admin/",
    "/admin/auth/user/",
    "/admin/auth/user/add/",
    "/admin/auth/user/1/change/",
    "/admin/auth/user/1/history/",
    "/admin/auth/user/1/password/",
    "/admin/auth/group/?q=1",
    "/admin/auth/group/1/change/",
)
CLIENTS = 16
MB = 1 << 20


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes: what the workers have for themselves, and what all processes take."""

    workers: int
    all: int


def measure(directory: Path, *, workers: int, requests: int, refork: bool) -> Usage:
    """Of a server whose workers have each served so many requests, or some more."""
    directory.mkdir()
    env = {"SITE_DB": str(directory / "site.db")}
    path = f"{ROOT}:{PROGRAMS}"
    subprocess.run(
        [sys.executable, PROGRAMS / "django_admin.py"],
        env={**os.environ, **env, "PYTHONPATH": path},
        check=True,
    )
    server = Server(directory)
    after = ["--refork-after", str(requests)] if refork else []
    try:
        server.start(
            "-w", str(workers), *after, app="django_admin:application", env=env
        )
        if refork:
            _browse(server, lambda: "reforking phase=commit" in server.log)
            os.kill(server.templates()[0], SIGKILL)  # it would stay for a minute
            eventually(lambda: len(server.templates()) == 1)
        _browse(server, lambda: min(_served(server)) >= requests)
        return _weigh(server)
    finally:
        server.clean_up()


def _browse(server: Server, is_enough: Callable[[], bool]) -> None:
    is_over = threading.Event()
    threads = [
        threading.Thread(target=_ask, args=(server, number, is_over))
        for number in range(CLIENTS)
    ]
    for thread in threads:
        thread.start()
    try:
        while not is_enough():
            assert all(thread.is_alive() for thread in threads), server.log
            is_over.wait(0.5)
    finally:
        is_over.set()
        for thread in threads:
            thread.join()


def _ask(server: Server, number: int, is_over: threading.Event) -> None:
    while not is_over.is_set():
        number += 1
        status, _ = server.get(PAGES[number % len(PAGES)], timeout=60)
        assert status == 200


def _served(server: Server) -> list[int]:
    """How many requests each worker has served."""
    which = ["--pid", str(server.pid)]
    command = [sys.executable, "-m", "prefork.cli.control", "status", "--json", *which]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, check=True)
    return [slot["requests"] for slot in json.loads(told.stdout)["slots"]]


def _weigh(server: Server) -> Usage:
    workers = [psutil.Process(pid) for pid in server.workers()]
    all = [psutil.Process(pid) for pid in server.processes()]
    return Usage(
        workers=sum(process.memory_full_info().uss for process in workers),
        all=sum(process.memory_full_info().pss for process in all),
    )


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, default=8)
    parser.add_argument("--requests", type=int, default=300, help="for each worker")
    return parser.parse_args()


def main() -> None:
    """Measure both, and print what is saved."""
    chosen = vars(_parse_arguments())
    with tempfile.TemporaryDirectory() as name:
        before = measure(Path(name, "without"), refork=False, **chosen)
        after = measure(Path(name, "with"), refork=True, **chosen)
    print("{workers} workers of the Django admin, {requests} requests".format(**chosen))
    for title, old, new in (
        ("USS of the workers", before.workers, after.workers),
        ("PSS of all processes", before.all, after.all),
    ):
        saved = f"{old // MB} MB, reforked {new // MB} MB: {new / old - 1:+.0%}"
        print(f"{title:<21} {saved}")


if __name__ == "__main__":
    main()
