"""Rates: what lies between two answers of `status`."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prefork.monitor.totals import percentile

Fields = dict[str, Any]

MEMORY = 60.0  # seconds that are looked back on


@dataclass(frozen=True, slots=True)
class Rates:
    """Of the time between two looks; None: nothing can be said yet."""

    requests: float  # a second
    errors: float  # a second
    busy: float  # 0 to 1: of the time of all workers, what was spent in requests
    p50: float | None  # seconds; of the last minute
    p99: float | None
    history: Sequence[float]  # of `requests`, the latest last


class Watch:
    """Remembers a minute of answers."""

    def __init__(self) -> None:
        self._answers: deque[Fields] = deque()
        self._history: deque[float] = deque(maxlen=60)

    def look(self, status: Fields) -> Rates:
        """Compare with the last answer, and with the oldest that is remembered."""
        before = self._answers[-1] if self._answers else status
        if before["pid"] != status["pid"] or before["now"] > status["now"]:
            self._answers.clear()  # another server
            self._history.clear()
            before = status
        self._answers.append(status)
        while self._answers[0]["now"] < status["now"] - MEMORY:
            self._answers.popleft()
        seconds = status["now"] - before["now"]
        if seconds:
            self._history.append(_grown(before, status, "requests") / seconds)
        first = self._answers[0]["latency"]["durations"]
        last = status["latency"]["durations"]
        recent = [now - then for now, then in zip(last, first, strict=True)]
        return Rates(
            requests=self._history[-1] if self._history else 0.0,
            errors=_grown(before, status, "errors") / seconds if seconds else 0.0,
            busy=_busy_share(before, status, seconds),
            p50=percentile(recent, 0.50),
            p99=percentile(recent, 0.99),
            history=list(self._history),
        )


def _grown(before: Fields, after: Fields, name: str) -> float:
    grown: int = after["totals"][name] - before["totals"][name]
    return max(0.0, grown)


def _busy_share(before: Fields, after: Fields, seconds: float) -> float:
    """Of the time between, or at this moment if there is none between."""
    workers = max(1, len(after["slots"]))
    if not seconds:
        busy: int = after["workers"]["busy"]
        return min(1.0, busy / workers)
    spent: float = _busy_seconds(after) - _busy_seconds(before)
    return max(0.0, min(1.0, spent / seconds / workers))


def _busy_seconds(status: Fields) -> float:
    """In requests that are over, and in those that are being served."""
    running = sum(slot["request_seconds"] or 0.0 for slot in status["slots"])
    return float(status["totals"]["busy_seconds"]) + running
