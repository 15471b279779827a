"""Probation: for a while after COMMIT, new code that crashes is sent back.

Until then its predecessor is kept: a template that has the old code in memory,
so that the old generation is whole again as fast as it can fork.
"""

from typing import Any

from prefork.master.cause import CAUSES, Cause
from prefork.master.generation import Generation

SECONDS = 60.0  # that the old template is kept
WINDOW = 30.0  # seconds that a crash counts
CRASHES_TOLERATED = 2  # of new workers, while the roll and the probation last


class CrashCount:
    """How many workers have crashed of late."""

    def __init__(self) -> None:
        self._moments: list[float] = []

    def add(self, now: float) -> None:
        recent = [moment for moment in self._moments if now - moment < WINDOW]
        self._moments = [*recent, now]

    def are_too_many(self) -> bool:
        return len(self._moments) > CRASHES_TOLERATED


class Probation:
    """The generation that is kept, until when, and why it is needed again."""

    def __init__(
        self, kept: Generation, crashes: CrashCount, cause: Cause, now: float
    ) -> None:
        self.kept = kept
        self.cause = cause
        self.since = now
        self.until = now + SECONDS
        self.reason = ""  # to send the new code back
        self._crashes = crashes

    def worker_died(self, reason: str, now: float) -> None:
        """A new worker has crashed before it was proven."""
        self._crashes.add(now)
        if self._crashes.are_too_many():
            self.reason = reason

    def state(self) -> dict[str, Any]:
        """For the program that replaces this one; see prefork/master/handover.py."""
        kept = self.kept.number
        return {"kept": kept, "cause": self.cause.name, "since": self.since}

    @classmethod
    def restore(
        cls, state: dict[str, Any], generations: dict[int, Generation]
    ) -> "Probation | None":
        """None: what was kept is gone."""
        if kept := generations.get(state["kept"]):
            return cls(kept, CrashCount(), CAUSES[state["cause"]], state["since"])
        return None
