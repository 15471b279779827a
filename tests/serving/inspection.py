"""A `prefork inspect` that runs, and what it has printed."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.eventually import eventually

ROOT = Path(__file__).parents[2]


class Onlooker:
    """One of them; `place` is where it listens."""

    def __init__(self, here: Path, *argv: str) -> None:
        self._out, self._err = here / "seen", here / "told"
        command = [sys.executable, "-m", "prefork.cli.control", "inspect", *argv]
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command,
                env={**os.environ, "PYTHONPATH": str(ROOT)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        listening = eventually(lambda: re.search(r"listening on (\S+),", self.told))
        self.place = listening[1]

    @property
    def seen(self) -> str:
        return self._out.read_text()

    @property
    def told(self) -> str:
        return self._err.read_text()

    def end(self, number: int = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(10)


@contextmanager
def looking_on(here: Path, *argv: str) -> Iterator[Onlooker]:
    onlooker = Onlooker(here, *argv)
    try:
        yield onlooker
    finally:
        onlooker.process.kill()
        onlooker.process.wait(10)
