"""The access log: one line for each request, answered, cut or refused."""

import time
from collections.abc import Callable
from typing import Protocol

from prefork.monitor.atoms import (
    Entry,
    compile_format,
    find_user,
    format_request_line,
    format_target,
)
from prefork.monitor.escape import cut
from prefork.monitor.log import PRIORITIES, Log
from prefork.monitor.times import format_rfc3339

__all__ = ["COMBINED", "AccessLog", "Entry", "Sink"]

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'
TELL_EVERY = 1.0  # seconds, where lines are taken and dropped by turns


class Sink(Protocol):
    """What lines go to: an Outlet, or a SyslogSink."""

    dropped: int  # lines that nobody took

    def write(self, data: bytes, /) -> bool:
        """Take one line with its newline; False if it was dropped."""

    def close(self) -> None:
        """Let go of what was opened for it."""


class AccessLog:
    """Writes an entry as text (in the given format) or as a JSON object."""

    __slots__ = ("_format", "_log", "_prefix", "_tell_at", "_told", "sink")

    def __init__(
        self,
        sink: Sink,
        *,
        format: str = COMBINED,
        kind: str = "text",
        journal: bool = False,
        log: Log | None = None,
    ) -> None:
        """`log` is told how many lines were dropped, once they are taken again.

        `journal`: each line has its priority in front.  Else a line that begins with
        what a client has sent could begin with another one.
        """
        self.sink = sink
        self._prefix = f"<{PRIORITIES['info']}>" if journal else ""
        self._log = log
        self._told = sink.dropped
        self._tell_at = 0.0
        self._format = compile_format(format) if kind == "text" else _make_json_format()

    def line(self, entry: Entry) -> str:
        """Return the line for `entry`, without its newline."""
        return self._format(entry)

    def write(self, entry: Entry) -> None:
        """Write the line for `entry`; what cannot be written is counted by the sink."""
        line = f"{self._prefix}{self._format(entry)}\n"
        is_taken = self.sink.write(line.encode("utf-8", "backslashreplace"))
        if is_taken and self._told != self.sink.dropped and self._may_tell():
            self.tell_drops()

    def tell_drops(self) -> None:
        """Log how many lines were dropped since this was told last."""
        dropped = self.sink.dropped
        if self._log is not None and dropped > self._told:
            self._log.warning("dropped access lines", count=dropped - self._told)
        self._told = dropped
        self._tell_at = time.monotonic() + TELL_EVERY

    def _may_tell(self) -> bool:
        return time.monotonic() >= self._tell_at


def _make_json_format() -> Callable[[Entry], str]:
    from json import JSONEncoder  # some ms of start-up, for those who want it

    encode = JSONEncoder(separators=(",", ":")).encode
    return lambda entry: encode(describe(entry))


def describe(entry: Entry) -> dict[str, object]:
    """Return what the JSON object says: null is what the client did not send."""
    variables = entry.variables
    description: dict[str, object] = {
        "time": format_rfc3339(entry.started),
        "remote": _show(variables.get("REMOTE_ADDR")),
        "user": _show(find_user(variables)),
        "method": _show(variables.get("REQUEST_METHOD")),
        "path": _show(format_target(variables)),
        "protocol": _show(variables.get("SERVER_PROTOCOL")),
        "status": entry.status,
        "bytes": entry.sent,
        "seconds": round(entry.seconds, 6),
        "referer": _show(variables.get("HTTP_REFERER")),
        "user_agent": _show(variables.get("HTTP_USER_AGENT")),
        "host": _show(variables.get("HTTP_HOST")),
        "pid": entry.pid,
    }
    if "REQUEST_METHOD" not in variables:
        description["request"] = _show(format_request_line(entry))
    if entry.note:
        description["note"] = entry.note
    return description


def _show(value: str | None) -> str | None:
    """Undo the latin-1 coat (PEP 3333) of a value that was sent as UTF-8."""
    if not value:
        return None
    value = cut(value)
    if value.isascii():
        return value
    wire = value.encode("latin-1", "backslashreplace")
    return wire.decode("utf-8", "backslashreplace")
