"""The server's own log: events as `verb object key=value`, one line each.

    2026-11-22T10:17:03.123Z info reaped worker slot=3 pid=812 status=0
    <6>info reaped worker slot=3 pid=812 status=0                   under journald
    {"time":"2026-…","level":"info","event":"reaped worker","slot":3,…}

The field `text` may have many lines (a traceback).  They follow the event, each
indented, in the same write, so that nothing comes between them.

Python's logging is not used: it costs 10 ms of start-up, blocks when nobody
reads, and its locks do not survive a fork at the wrong moment.
"""

import os
import time
from collections.abc import Callable, Mapping
from copy import copy

from prefork.monitor.escape import escape_unprintable, quote
from prefork.monitor.outlet import Outlet
from prefork.monitor.times import format_rfc3339

# The numbers of syslog(3), as sd-daemon(3) wants them; less is worse.
PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
CRITICAL, ERROR, WARNING, INFO, DEBUG = PRIORITIES.values()

Fields = dict[str, object]
Format = Callable[[float, str, str, Fields], str]


class Log:
    """Writes events to an outlet, as text or JSON; never waits, never raises."""

    __slots__ = ("_clock", "_fields", "_format", "_lowest", "outlet")

    def __init__(
        self,
        outlet: Outlet,
        *,
        level: str = "info",
        format: str = "text",
        journal: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.outlet = outlet
        self._clock = clock
        self._fields: Fields = {}
        self.configure(level=level, format=format, journal=journal)

    def configure(self, *, level: str, format: str, journal: bool) -> None:
        """Go on like this; logs made by with_fields() before do not."""
        self._lowest = PRIORITIES[level]
        self._format = _choose_format(format, journal=journal)

    def debug(self, event: str, /, **fields: object) -> None:
        """Say what only someone who looks for a bug wants to know."""
        if self._lowest >= DEBUG:
            self._write("debug", event, fields)

    def info(self, event: str, /, **fields: object) -> None:
        """Say what happened as it should."""
        if self._lowest >= INFO:
            self._write("info", event, fields)

    def warning(self, event: str, /, **fields: object) -> None:
        """Say what an operator should look at some day."""
        if self._lowest >= WARNING:
            self._write("warning", event, fields)

    def error(self, event: str, /, **fields: object) -> None:
        """Say what failed: a request, a worker, a reload."""
        if self._lowest >= ERROR:
            self._write("error", event, fields)

    def critical(self, event: str, /, **fields: object) -> None:
        """Say why the service does not run."""
        self._write("critical", event, fields)

    def with_fields(self, **fields: object) -> "Log":
        """Return a log that puts `fields` before those of each event."""
        child = copy(self)
        child._fields = {**self._fields, **fields}
        return child

    def _write(self, level: str, event: str, fields: Fields) -> None:
        if self.outlet.reported < self.outlet.dropped:
            self._report_drops()
        self.outlet.write(self._encode(level, event, {**self._fields, **fields}))

    def _report_drops(self) -> None:
        dropped = self.outlet.dropped
        fields = {**self._fields, "count": dropped - self.outlet.reported}
        if self.outlet.offer(self._encode("warning", "dropped log lines", fields)):
            self.outlet.reported = dropped

    def _encode(self, level: str, event: str, fields: Fields) -> bytes:
        line = self._format(self._clock(), level, event, fields)
        return line.encode("utf-8", "backslashreplace")


def is_journal(fd: int, environ: Mapping[str, str]) -> bool:
    """Is `fd` the stream that systemd connected to the journal?

    $JOURNAL_STREAM (systemd.exec(5)) is its device and inode, as DEVICE:INODE.
    They must be compared: a shell may have redirected our stderr after systemd
    set the variable.
    """
    try:
        status = os.fstat(fd)
    except OSError:
        return False
    return environ.get("JOURNAL_STREAM") == f"{status.st_dev}:{status.st_ino}"


def _choose_format(kind: str, *, journal: bool) -> Format:
    format = _format_text if kind == "text" else _make_json_format()
    if not journal:
        return format
    return _format_journal_text if kind == "text" else _prefix(format)


def _format_text(now: float, level: str, event: str, fields: Fields) -> str:
    lines = _text_lines(event, fields)
    return f"{format_rfc3339(now)} {level} " + "\n".join(lines) + "\n"


def _format_journal_text(now: float, level: str, event: str, fields: Fields) -> str:
    # The journal has a clock of its own, and takes each line for an entry: all
    # of them need the prefix.
    prefix = f"<{PRIORITIES[level]}>"
    first, *others = _text_lines(event, fields)
    return "\n".join([f"{prefix}{level} {first}", *(prefix + o for o in others), ""])


def _text_lines(event: str, fields: Fields) -> list[str]:
    """The event with its fields, and the lines of `text`, indented."""
    words = [escape_unprintable(event)]
    words += [f"{k}={_format_value(v)}" for k, v in fields.items() if k != "text"]
    text = str(fields.get("text", "")).rstrip("\n")
    more = text.split("\n") if text else []
    return [" ".join(words), *("  " + escape_unprintable(line) for line in more)]


def _format_value(value: object) -> str:
    return "-" if value is None else quote(str(value))


def _make_json_format() -> Format:
    from json import JSONEncoder  # some ms of start-up, for those who want it

    encode = JSONEncoder(separators=(",", ":"), default=str).encode

    def format(now: float, level: str, event: str, fields: Fields) -> str:
        line = {"time": format_rfc3339(now), "level": level, "event": event}
        return encode(line | fields) + "\n"

    return format


def _prefix(format: Format) -> Format:
    """Put sd-daemon(3)'s priority, which journald takes off, before each line."""

    def prefixed(now: float, level: str, event: str, fields: Fields) -> str:
        return f"<{PRIORITIES[level]}>" + format(now, level, event, fields)

    return prefixed
