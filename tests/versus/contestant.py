"""What every server can be told, and how to look at it."""

import os
import re
import signal
import subprocess
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from pathlib import Path

from versus.questions import Address, Answer, Question

PROGRAMS = Path(__file__).with_name("programs")
MARK = "VERSUS_RUN"
START = 20.0  # seconds


class NotApplicableError(Exception):
    """This server has no such thing; the text says what instead."""


class Contestant(ABC):
    """One running server in a directory of its own, where the application is too."""

    name = ""
    script = ""  # what to ask for in FastCGI; "": it speaks HTTP
    settling = 0.0  # seconds after its first answer in which it must be left alone

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.address: Address = str(directory / "server.sock")
        self._mark = uuid.uuid4().hex
        self._process: subprocess.Popen[bytes] | None = None
        self._seen = directory / "seen"
        directory.mkdir()
        self._seen.touch()
        for path, mode in ((directory, 0o777), (self._seen, 0o666)):
            path.chmod(mode)  # workers may be somebody else

    # What each of them does in its way

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Of what is installed; "" if it is not."""

    @abstractmethod
    def command(
        self, *, workers: int, timeout: int, import_in_worker: bool
    ) -> list[str]:
        """Write what it needs; the command that stays in the foreground.

        `timeout` in seconds to answer a request, 0 for the default;
        `import_in_worker`: not once in the parent.
        """

    @abstractmethod
    def publish(self, version: str) -> None:
        """Have the application answer with `version`, after a reload."""

    @abstractmethod
    def break_configuration(self) -> None:
        """Write one that cannot be read."""

    @abstractmethod
    def reload(self) -> None:
        """Ask for a graceful one."""

    @abstractmethod
    def stop(self) -> None:
        """Ask for a graceful one."""

    def change_import(self, code: str) -> None:
        """Have `code` run when the application is imported."""
        raise NotApplicableError("reads its code at every request")

    def upgrade(self) -> None:
        """Become the program that is now on disk; returns when that is done."""
        raise NotApplicableError("has no upgrade")

    def add_worker(self) -> None:
        raise NotApplicableError("is not told how many")

    def remove_worker(self) -> None:
        raise NotApplicableError("is not told how many")

    # Life

    def start(
        self, *, workers: int = 1, timeout: int = 0, import_in_worker: bool = False
    ) -> None:
        """Start with version 1 of the application, and wait for a first answer."""
        self.publish("1")
        command = self.command(
            workers=workers, timeout=timeout, import_in_worker=import_in_worker
        )
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                command,
                cwd=self.directory,
                env={**os.environ, **self.environment(), MARK: self._mark},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if self.wait_version("1", START) is None:
            raise RuntimeError(f"{self.name} did not start:\n{self.log}")
        time.sleep(self.settling)

    def environment(self) -> dict[str, str]:
        # What was written twice within a second may look the same to the cache.
        return {"PYTHONDONTWRITEBYTECODE": "1"}

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def exit_status(self) -> int | None:
        """Of the process that was started; None as long as it runs."""
        assert self._process is not None
        return self._process.poll()

    def signal(self, number: int) -> None:
        """Send the parent a signal."""
        os.kill(self.pid, number)

    def clean_up(self) -> None:
        """Kill what is left of it."""
        while left := self.processes():  # the last of them may still be forking
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)
        if self._process is not None:
            self._process.wait()

    # Looking

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text(errors="replace")

    def seen(self, word: str) -> list[int]:
        """The processes in which the application did that, in order."""
        lines = re.findall(rf"^{word} (\d+)$", self._seen.read_text(), re.MULTILINE)
        return [int(pid) for pid in lines]

    def processes(self) -> list[int]:
        """All that live, the parent included."""
        pids = (int(name) for name in os.listdir("/proc") if name.isdigit())
        return [pid for pid in pids if pid != os.getpid() and self._is_ours(pid)]

    def workers(self) -> list[int]:
        """Those that serve."""
        return [pid for pid in self.processes() if pid != self.pid]

    def _is_ours(self, pid: int) -> bool:
        """By its session, its environment, or where it is and what it writes to."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            if stat[0] in "ZX":
                return False
            if self._process is not None and int(stat[3]) == self._process.pid:
                return True
            if f"{MARK}={self._mark}".encode() in _read(pid, "environ"):
                return True
            places = [os.readlink(f"/proc/{pid}/{name}") for name in ("cwd", "fd/2")]
        except OSError:
            return False  # it has just left
        return any(f"{place}/".startswith(f"{self.directory}/") for place in places)

    # Talking

    def ask(self, target: str = "/", *, timeout: float = 30) -> Question:
        return Question(self.address, target, script=self.script, timeout=timeout)

    def get(self, target: str = "/", *, timeout: float = 30) -> Answer | None:
        """None: no answer, be it that nobody listens."""
        try:
            return self.ask(target, timeout=timeout).read()
        except OSError:
            return None

    def wait_version(self, version: str, seconds: float) -> float | None:
        """Until the application answers so; see `wait_until`."""
        wanted = Answer(200, version)
        return wait_until(lambda: self.get("/", timeout=5) == wanted, seconds)


def wait_until(check: Callable[[], object], seconds: float) -> float | None:
    """How many seconds it took; None if it took longer than so many."""
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > seconds:
            return None
        time.sleep(0.01)
    return time.monotonic() - began


def write_application(directory: Path, lines: Iterable[str]) -> None:
    """app.py of such lines and what all versions have; nobody sees half of it."""
    new = directory / "app.new"
    rest = (PROGRAMS / "app.py").read_text()
    new.write_text("\n".join([*lines, rest]))
    new.replace(directory / "app.py")


def _read(pid: int, name: str) -> bytes:
    return Path(f"/proc/{pid}/{name}").read_bytes()
