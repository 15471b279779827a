"""A real web server before a real prefork, with the snippet that contrib/ has."""

import os
import random
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from serving.browser import Browser
from serving.eventually import eventually
from serving.make import SBIN, Make

USER = "nobody"  # runs the web servers where the tests are run by root
START = 15.0  # seconds


class FrontEnd(Browser):
    """One web server that runs, unprivileged; its log is in `log`."""

    def __init__(
        self,
        make: Make,
        protocol: str,
        place: str,  # unix:PATH or HOST:PORT, where prefork speaks it
        *,
        below: bool = False,  # the application is at /app
    ) -> None:
        self.make = make
        self.protocol = protocol
        self.transport = "unix" if place.startswith("unix:") else "tcp"
        self.port = 0
        self._place = place
        self._changes = make.below if below else {}
        self._directory = Path(tempfile.mkdtemp(prefix=f"{make.name}-"))
        self._log = self._directory / "front.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._log.touch()
        self._as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            shutil.chown(self._directory, USER)
            shutil.chown(self._log, USER)
            self._as_user = {"user": USER, "group": "nogroup", "extra_groups": []}

    def __enter__(self) -> "FrontEnd":
        return self.start()

    def __exit__(self, *error: object) -> None:
        self.stop()

    def start(self) -> "FrontEnd":
        """Start on a free port; on another one if somebody was faster."""
        for _ in range(3):
            self.port = find_port()
            try:
                self._run()
                return self
            except (RuntimeError, AssertionError, OSError) as error:
                reason = error
                self.end()
        self.stop()
        raise reason

    def stop(self) -> None:
        """End it, and remove what it wrote."""
        self.end()
        shutil.rmtree(self._directory, ignore_errors=True)

    def end(self) -> None:
        """End it, and have its log still."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)

    def signal(self, number: int) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _run(self) -> None:
        path = self._directory / "configuration"
        path.write_text(self._configure())
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.make.command(self._directory, path),
                cwd=self._directory,
                env={"PATH": SBIN, "HOME": str(self._directory)},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user,
            )
        eventually(self._is_listening, within=START)

    def _configure(self) -> str:
        snippet = self.make.snippet(self.protocol).read_text()
        for words, others in self._changes.items():
            snippet = re.sub(words, others, snippet)
        return self.make.configure(self._directory, snippet, self._place, self.port)

    def _is_listening(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.make.name} ended:\n{self.log}")
        with socket.create_connection(("127.0.0.1", self.port), 1):
            return True


def find_python() -> str:
    """One that the user of the web servers may run."""
    ours = Path(sys.executable).resolve()
    is_for_all = all(each.stat().st_mode & 0o001 for each in (ours, *ours.parents))
    return sys.executable if is_for_all or os.geteuid() else "/usr/bin/python3"


def find_port() -> int:
    """A port that is free, and that the kernel gives to nobody who asks for any."""
    while True:
        port = random.SystemRandom().randrange(10_000, 30_000)
        try:
            socket.create_server(("127.0.0.1", port)).close()
            return port
        except OSError:
            pass
