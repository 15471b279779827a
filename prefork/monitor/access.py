"""The access log: one line for each request, answered, cut or refused."""

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
from prefork.monitor.times import format_rfc3339

__all__ = ["COMBINED", "AccessLog", "Entry", "Sink"]

COMBINED = '%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s"'


class Sink(Protocol):
    """What lines go to: an Outlet, or a SyslogSink."""

    dropped: int  # lines that nobody took

    def write(self, data: bytes, /) -> bool:
        """Take one line with its newline; False if it was dropped."""


class AccessLog:
    """Writes an entry as text (in the given format) or as a JSON object."""

    __slots__ = ("_format", "sink")

    def __init__(
        self, sink: Sink, *, format: str = COMBINED, kind: str = "text"
    ) -> None:
        self.sink = sink
        self._format = compile_format(format) if kind == "text" else _make_json_format()

    def line(self, entry: Entry) -> str:
        """Return the line for `entry`, without its newline."""
        return self._format(entry)

    def write(self, entry: Entry) -> None:
        """Write the line for `entry`; what cannot be written is counted by the sink."""
        line = self._format(entry) + "\n"
        self.sink.write(line.encode("utf-8", "backslashreplace"))


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
