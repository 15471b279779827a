"""prefork, gunicorn and uWSGI, each with the options that serve it best here."""

import os
import shutil
import signal
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from versus.contestant import Contestant, wait_until, write_application

ROOT = Path(__file__).parents[2]
PATIENCE = 15.0  # seconds
# Without this a worker that uWSGI is told to end is none the less replaced.
MANUAL = {"cheaper-algo": "manual", "cheaper": 1, "cheaper-initial": 3}


class PythonContestant(Contestant):
    """Runs app.py, which it imports once or in each worker."""

    def publish(self, version: str) -> None:
        write_application(self.directory, [f"VERSION = {version!r}"])

    def change_import(self, code: str) -> None:
        write_application(self.directory, ["VERSION = '2'", code])


class Prefork(PythonContestant):
    """This repository's."""

    name = "prefork"

    @classmethod
    def version(cls) -> str:
        from prefork import __version__

        return __version__

    def command(
        self, *, workers: int, timeout: int, import_in_worker: bool
    ) -> list[str]:
        command = [sys.executable, "-m", "prefork.cli.wsgi", "-w", str(workers)]
        command += ["-t", str(timeout)] if timeout else []
        command += ["--no-preload"] if import_in_worker else []
        return [*command, "-b", f"unix:{self.address}", "app:wsgi"]

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "PYTHONPATH": str(ROOT)}

    def break_configuration(self) -> None:
        (self.directory / "prefork.toml").write_text("nonsense = true\n")

    def reload(self) -> None:
        self.signal(signal.SIGHUP)

    def stop(self) -> None:
        self.signal(signal.SIGTERM)

    def upgrade(self) -> None:
        self.signal(signal.SIGUSR2)
        if wait_until(lambda: "upgraded master" in self.log, PATIENCE) is None:
            raise RuntimeError("not upgraded")

    def add_worker(self) -> None:
        self.signal(signal.SIGTTIN)

    def remove_worker(self) -> None:
        self.signal(signal.SIGTTOU)

    def workers(self) -> list[int]:
        return [pid for pid in super().workers() if _is_worker(pid)]


def _is_worker(pid: int) -> bool:
    """By its title: a template is none."""
    try:
        title = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False  # it has just left
    return title.startswith(b"prefork: worker")


class Gunicorn(PythonContestant):
    """With its default workers (sync)."""

    name = "gunicorn"

    @classmethod
    def version(cls) -> str:
        try:
            return version("gunicorn")
        except PackageNotFoundError:
            return ""

    def command(
        self, *, workers: int, timeout: int, import_in_worker: bool
    ) -> list[str]:
        (self.directory / "conf.py").write_text("")
        command = [sys.executable, "-m", "gunicorn", "-w", str(workers)]
        command += ["-t", str(timeout)] if timeout else []
        command += ["-c", "conf.py", "-p", "pid", "--no-control-socket"]
        return [*command, "-b", f"unix:{self.address}", "app:wsgi"]

    def break_configuration(self) -> None:
        (self.directory / "conf.py").write_text("nonsense(\n")

    def reload(self) -> None:
        self.signal(signal.SIGHUP)

    def stop(self) -> None:
        self.signal(signal.SIGTERM)

    def upgrade(self) -> None:
        """As its manual says: USR2, and once the new one serves, end the old."""
        self.signal(signal.SIGUSR2)
        imported = len(self.seen("import"))
        if wait_until(lambda: len(self.seen("import")) > imported, PATIENCE) is None:
            raise RuntimeError("no second server")
        self.signal(signal.SIGTERM)
        if wait_until(lambda: self.exit_status is not None, PATIENCE) is None:
            raise RuntimeError("the old server does not leave")

    def add_worker(self) -> None:
        self.signal(signal.SIGTTIN)

    def remove_worker(self) -> None:
        self.signal(signal.SIGTTOU)


class Uwsgi(PythonContestant):
    """With a master and its fifo; without --need-app, as by default."""

    name = "uWSGI"
    needs_app = False
    # A HUP that comes sooner leaves one of two workers unable to reload, for good.
    settling = 1.5

    @classmethod
    def version(cls) -> str:
        binary = _find_uwsgi()
        if not binary:
            return ""
        done = subprocess.run([binary, "--version"], capture_output=True, text=True)
        return done.stdout.strip()

    def command(
        self, *, workers: int, timeout: int, import_in_worker: bool
    ) -> list[str]:
        options = {
            "strict": "true",
            "http-socket": self.address,
            "listen": "100",
            "master": "true",
            "master-fifo": "fifo",
            "processes": workers,
            "module": "app:wsgi",
            "need-app": str(self.needs_app).lower(),
            "lazy-apps": str(import_in_worker).lower(),
            **({"harakiri": timeout} if timeout else {}),
            **(MANUAL if workers > 2 else {}),
        }
        lines = ["[uwsgi]", *(f"{name} = {value}" for name, value in options.items())]
        (self.directory / "uwsgi.ini").write_text("\n".join([*lines, ""]))
        return [_find_uwsgi(), "--ini", "uwsgi.ini"]

    def break_configuration(self) -> None:
        with (self.directory / "uwsgi.ini").open("a") as file:
            file.write("nonsense = true\n")

    def reload(self) -> None:
        self.signal(signal.SIGHUP)

    def stop(self) -> None:
        self._write_fifo(b"q")

    def upgrade(self) -> None:
        """Its reload is one: it executes itself."""
        imported = len(self.seen("import"))
        self.reload()
        if wait_until(lambda: len(self.seen("import")) > imported, PATIENCE) is None:
            raise RuntimeError("not upgraded")

    def add_worker(self) -> None:
        self._write_fifo(b"+")

    def remove_worker(self) -> None:
        self._write_fifo(b"-")

    def _write_fifo(self, word: bytes) -> None:
        fifo = os.open(self.directory / "fifo", os.O_WRONLY | os.O_NONBLOCK)
        os.write(fifo, word)
        os.close(fifo)


class UwsgiNeedApp(Uwsgi):
    """The same, but it does not serve without an application."""

    name = "uWSGI --need-app"
    needs_app = True


def _find_uwsgi() -> str:
    beside = Path(sys.executable).with_name("uwsgi")
    return str(beside) if beside.exists() else shutil.which("uwsgi") or ""
