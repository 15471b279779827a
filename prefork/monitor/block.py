"""One request and its answer, as lines for people.

0.0 ms → BEGIN_REQUEST  8 B, RESPONDER
0.1 ms → GET /report?year=2026 HTTP/1.1
             QUERY_STRING = year=2026
8.4 ms ← STDOUT  3 ×, 48.2 kB
8.4 ms ← 200 OK
             Content-Type = text/html
8.5 ms = 200; 0 B asked, 48.1 kB answered, 8.5 ms
"""

from collections.abc import Callable
from dataclasses import dataclass

from prefork.monitor.escape import cut, escape_unprintable
from prefork.monitor.figures import format_duration, format_size
from prefork.protocols.watching.events import (
    Answered,
    Asked,
    Broken,
    Complaint,
    Data,
    End,
    Event,
    Pairs,
    Side,
    Unit,
)

BOLD, RED, GREEN, CYAN = "1", "31", "32", "36"  # ECMA-48 8.3.117
ARROWS = {Side.CLIENT: "→", Side.SERVER: "←"}
COLOURS = {Side.CLIENT: CYAN, Side.SERVER: GREEN}
INDENT = " " * 18
BYTES_A_ROW = 16

Paint = Callable[[str, str], str]


def paint(text: str, colour: str) -> str:
    """Write in a colour, on a terminal."""
    return f"\x1b[{colour}m{text}\x1b[0m"


def leave_plain(text: str, colour: str) -> str:
    """Write without it."""
    return text


@dataclass(slots=True)
class Run:
    """Units of one name that follow each other, counted together."""

    side: Side
    name: str
    detail: str
    at: float
    count: int = 0
    size: int = 0


class Block:
    """What has been told of one request, and has not been written yet."""

    def __init__(self, number: int, began: float, paint: Paint) -> None:
        self.number = number
        self.began = began
        self.written = began  # when it was last its turn, even if there was nothing
        self.was_written = False  # a part of it is written already
        self.lines: list[str] = []
        self.has_ended = False
        self._paint = paint
        self._run: Run | None = None
        self._status = 0
        self._sizes = dict.fromkeys(Side, 0)

    def take(self, side: Side, event: Event, now: float) -> None:
        """Write what an event tells."""
        match event:
            case Unit():
                self._count(side, event, now)
            case Data():
                self._sizes[side] += len(event.payload)
            case Asked():
                self._add(side, now, self._paint(clean(event.line), BOLD))
                self._add_pairs(event.pairs)
            case Answered():
                self._status = event.status
                head = f"{event.status} {clean(event.reason)}".rstrip()
                self._add(side, now, self._paint(head, BOLD))
                self._add_pairs(event.pairs)
            case Complaint():
                self._complain(event.payload, now)
            case Broken():
                words = f"the {side.value} is not understood: {clean(event.reason)}"
                self._add(side, now, self._paint(words, RED))
            case End():
                self._conclude(event.problem, now)

    def take_bytes(self, side: Side, data: bytes, now: float) -> None:
        """Write all bytes as they are on the wire."""
        self._add(side, now, f"{len(data)} bytes")
        for at in range(0, len(data), BYTES_A_ROW):
            row = data[at : at + BYTES_A_ROW]
            text = "".join(chr(b) if 32 <= b < 127 else "." for b in row)
            self.lines.append(f"{INDENT}{at:06x}  {row.hex(' '):<47}  {text}")

    def conclude(self, reason: str, now: float) -> None:
        """Write how the connection has ended."""
        self.close_run()
        self.lines.append(f"{self._tell_time(now)} × {self._paint(reason, RED)}")

    def close_run(self) -> None:
        """Write the units that have been counted so far."""
        run, self._run = self._run, None
        if run is None:
            return
        parts = [f"{run.count} ×"] if run.count > 1 else []
        parts += [format_size(run.size)] if run.size or not run.detail else []
        parts += [clean(run.detail)] if run.detail else []
        self._add(run.side, run.at, f"{run.name}  {', '.join(parts)}")

    def _count(self, side: Side, unit: Unit, now: float) -> None:
        run = self._run
        if not run or (run.side, run.name, run.detail) != (
            side,
            unit.name,
            unit.detail,
        ):
            self.close_run()
            self._run = run = Run(side, unit.name, unit.detail, now)
        run.count += 1
        run.size += unit.size

    def _add(self, side: Side, now: float, words: str) -> None:
        self.close_run()
        arrow = self._paint(ARROWS[side], COLOURS[side])
        self.lines.append(f"{self._tell_time(now)} {arrow} {words}")

    def _add_pairs(self, pairs: Pairs) -> None:
        for name, value in pairs:
            self.lines.append(f"{INDENT}{clean(name)} = {clean(value)}")

    def _complain(self, text: bytes, now: float) -> None:
        for line in cut(text.decode("utf-8", "backslashreplace")).splitlines():
            words = self._paint(f"STDERR: {escape_unprintable(line)}", RED)
            self._add(Side.SERVER, now, words)

    def _conclude(self, problem: str, now: float) -> None:
        self.close_run()
        self.has_ended = True
        asked, answered = (format_size(self._sizes[side]) for side in Side)
        took = format_duration(now - self.began)
        words = (
            f"{self._status or 'no answer'}; {asked} asked, {answered} answered, {took}"
        )
        if problem:
            words = self._paint(f"{words}: {clean(problem)}", RED)
        self.lines.append(f"{self._tell_time(now)} = {words}")

    def _tell_time(self, now: float) -> str:
        return f"{(now - self.began) * 1000:>10.1f} ms"


def clean(text: str) -> str:
    """Text from the wire for a terminal: UTF-8 if it is that, and not too long."""
    text = cut(text)
    try:
        text = text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        pass
    return escape_unprintable(text)
