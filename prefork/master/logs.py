"""The log files of the server: opened, and reopened, by the master for all.

The master opens them because workers may not be allowed to.  The numbers of the
descriptors never change; what they lead to does (dup2), here and in every
process that is sent the new descriptors.
"""

import os
import time
from collections.abc import Iterable
from typing import Any

from prefork.errors import SystemRefusal
from prefork.master.worker_exit import WorkerExit
from prefork.monitor.access import AccessLog, Entry, Sink
from prefork.monitor.log import Log, is_journal
from prefork.monitor.outlet import Outlet, open_file
from prefork.monitor.syslog import SyslogSink
from prefork.settings import Settings

STDOUT, STDERR = 1, 2


class Logs:
    """The error log is stderr, redirected or not; so tracebacks go there too."""

    def __init__(
        self, settings: Settings, *, kept: dict[str, Any] | None = None
    ) -> None:
        """`kept`: after an upgrade, the state() of the program before us."""
        self._error_file = settings.error_logfile
        self._access_files: dict[str, int] = {}  # path → our descriptor
        if kept is not None:
            self._error_file = kept["error_file"]
            files = kept["access_files"].items()
            self._access_files = {path: file["fd"] for path, file in files}
        elif self._error_file != "-":
            redirect(self._error_file)
        self._stderr = Outlet(STDERR)
        self.log = Log(self._stderr)
        self.configure(settings)
        # Opened beforehand: when a worker dies there may be no descriptor left.
        self._sinks: dict[str, Sink] = {}
        self.access_descriptor(settings)

    def state(self) -> dict[str, Any]:
        """For the program that replaces this one; see prefork/master/handover.py."""
        files = self._access_files.items()
        return {
            "error_file": self._error_file,
            "access_files": {path: {"fd": fd} for path, fd in files},
        }

    def configure(self, settings: Settings) -> None:
        """Log as these settings say, from now on."""
        self.log.configure(
            level=settings.log_level,
            format=settings.log_format,
            journal=is_journal(STDERR, os.environ),
        )

    def access_descriptor(self, settings: Settings) -> int | None:
        """Where a generation's access log goes; None: nowhere, or to syslog.

        Raises SystemRefusal if it cannot be opened.
        """
        path = settings.access_logfile
        fd = self._open_access_file(path)
        if path and path not in self._sinks:
            try:
                self._sinks[path] = SyslogSink() if fd is None else Outlet(fd)
            except OSError as error:
                raise _refusal(path, error) from error
        return fd

    def _open_access_file(self, path: str) -> int | None:
        if path in ("", "syslog"):
            return None
        if path == "-":
            return STDOUT
        if path not in self._access_files:
            self._access_files[path] = _open(path)
        return self._access_files[path]

    def keep_only(self, living: Iterable[Settings]) -> None:
        """Close the access logs that no generation writes to any more."""
        wanted = {settings.access_logfile for settings in living}
        for path in self._access_files.keys() - wanted:
            if sink := self._sinks.pop(path, None):
                sink.close()
            os.close(self._access_files.pop(path))

    def reopen(self) -> dict[str, int]:
        """Open the files again, as after a rotation; name → new descriptor.

        The caller sends these to all processes, and closes them.
        """
        fresh = {}
        if self._error_file != "-" and (fd := self._open_again(self._error_file)):
            fresh["error"] = fd
            self._stderr.reopen(fd)
        for path, old in self._access_files.items():
            if fd := self._open_again(path):
                fresh[path] = fd
                if isinstance(sink := self._sinks.get(path), Outlet):
                    sink.reopen(fd)
                else:
                    os.dup2(fd, old, inheritable=False)
        return fresh

    def follow(self) -> dict[str, int]:
        """With -D the terminal was left: write where stdout and stderr lead now.

        Returns what reopen() does, for the processes that were started before.
        """
        fresh = {"error": os.dup(STDERR), "output": os.dup(STDOUT), "-": os.dup(STDOUT)}
        self._stderr.reopen(fresh["error"])
        if isinstance(sink := self._sinks.get("-"), Outlet):
            sink.reopen(fresh["-"])
        return fresh

    def _open_again(self, path: str) -> int | None:
        """None: it cannot be, so everyone goes on in the old file."""
        try:
            return _open(path)
        except SystemRefusal as refusal:
            self.log.error("cannot reopen log", text=str(refusal))
            return None

    def pick(
        self, fresh: dict[str, int], settings: Settings
    ) -> tuple[list[str], list[int]]:
        """Those of the reopened files that a generation writes to, by its names."""
        picked = {name: fresh.get(name) for name in ("error", "output")}
        picked["access"] = fresh.get(settings.access_logfile)
        found = {name: fd for name, fd in picked.items() if fd is not None}
        return list(found), list(found.values())

    def write_cut_request(self, settings: Settings, worker_exit: WorkerExit) -> None:
        """The access line of the request that a worker took with it.

        504 for one that was over its deadline, else 502; the client has seen its
        connection close.
        """
        sink = self._sinks.get(settings.access_logfile)
        if sink is None or not worker_exit.tenant.is_busy:
            return
        peer, method, target = (worker_exit.tenant.request + "  ").split(" ", 2)
        format, kind = settings.access_logformat, settings.log_format
        fd = self.access_descriptor(settings)
        journal = fd is not None and is_journal(fd, os.environ)
        AccessLog(sink, format=format, kind=kind, journal=journal).write(
            Entry(
                variables={
                    "REMOTE_ADDR": peer,
                    "REQUEST_METHOD": method,
                    "REQUEST_URI": target.rstrip(" "),
                    "SERVER_PROTOCOL": "HTTP/1.1",
                },
                status=504 if worker_exit.was_overdue else 502,
                headers=[],
                sent=0,
                seconds=worker_exit.request_seconds,
                started=time.time() - worker_exit.request_seconds,
                pid=worker_exit.member.pid,
                note=worker_exit.cause,
            )
        )


def redirect(path: str) -> None:
    """Let stderr go to a file."""
    fd = _open(path)
    os.dup2(fd, STDERR)
    os.close(fd)


def _open(path: str) -> int:
    try:
        return open_file(path)
    except OSError as error:
        raise _refusal(path, error) from error


def _refusal(path: str, error: OSError) -> SystemRefusal:
    return SystemRefusal(
        f"cannot open log file {path}: {error.strerror} "
        "(make its directory, writable for this user)"
    )
