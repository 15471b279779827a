"""A real `prefork exec` under test, and the copies that it keeps."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from prefork.protocols import fastcgi_records as wire
from serving.eventually import eventually
from serving.fastcgi import connect, get, split_records
from serving.server import ROOT, Server


class Keeper(Server):
    """A server whose workers keep a program; it listens in its directory."""

    def __init__(self) -> None:
        directory = Path(tempfile.mkdtemp(prefix="prefork-"))
        directory.chmod(0o755)  # a web server may be another user
        super().__init__(directory)
        self.socket = f"{directory}/it.sock"

    def keep(
        self, *command: str, options: tuple[str, ...] = (), **more: object
    ) -> "Keeper":
        """Start it with short patience."""
        here = () if "-b" in options else ("-b", f"unix:{self.socket}")
        arguments = ("exec", *here, "--socket-mode", "666")
        is_said = {"--settle", "--config"} & {*options}
        short = () if is_said else ("--settle", "0.2")
        self.start(
            *(*arguments, *short, *options, "--", *command),
            program="prefork.cli.control",
            bind=None,
            app="",
            **more,  # type: ignore[arg-type]
        )
        return self

    @property
    def place(self) -> str:
        """Where it listens: unix:PATH or HOST:PORT."""
        found = self.wait_log(r"listening on=fastcgi(?:\+|://)(\S+)")
        return found[1]

    def copies(self) -> list[int]:
        """The pids of the programs that run."""
        found = []
        for pid in self.workers():
            try:
                found += [child.pid for child in psutil.Process(pid).children()]
            except psutil.NoSuchProcess:
                pass
        return found

    def ask(self, path: str = "/", *, timeout: float = 15.0) -> str:
        """The body of the answer to one request."""
        with connect(self.socket, timeout=timeout) as connection:
            connection.send(get(path))
            records = split_records(connection.read_rest())
        output = b"".join(
            content for kind, _, content in records if kind == wire.STDOUT
        )
        return output.partition(b"\r\n\r\n")[2].decode()

    @contextmanager
    def pending(self, *paths: str) -> Iterator[Callable[[], bool]]:
        """Ask for all of them at once; were they answered? tells who is called.

        Of paths that take long enough to be seen while they are served.
        """
        with ThreadPoolExecutor(len(paths)) as threads:
            answers = [threads.submit(self.ask, path, timeout=30.0) for path in paths]
            eventually(self._is_serving)
            yield lambda: all(answer.result() for answer in answers)

    def release(self) -> None:
        """Let those requests go on which are held."""
        (self.directory / "go").touch()

    def _is_serving(self) -> bool:
        """Has somebody accepted?  There is a connection then."""
        return any(len(os.listdir(f"/proc/{copy}/fd")) > 3 for copy in self.copies())

    def control(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of an operator, with its end."""
        return subprocess.run(
            [
                sys.executable,
                "-m",
                "prefork.cli.control",
                *words,
                "--pid",
                str(self.pid),
            ],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def status(self) -> dict[str, Any]:
        return json.loads(self.control("status", "--json").stdout)

    def logged(self, words: str) -> int:
        """How many times."""
        return len(re.findall(words, self.log))

    def clean_up(self) -> list[str]:
        left = super().clean_up()
        shutil.rmtree(self.directory, ignore_errors=True)
        return left
