"""`prefork.deadline` in the environ: an application asks for more time."""

import time

from prefork.monitor.scoreboard import SECOND, WorkerSlot


class Deadline:
    """The deadline of the request that is being served; one for a worker's life.

    `longest` (seconds) limits what an application can make of it, counted from
    the start of the request.  Times are read by the master, from the scoreboard.
    """

    __slots__ = ("_longest", "_slot")

    def __init__(self, slot: WorkerSlot, *, longest: float) -> None:
        self._slot = slot
        self._longest = int(longest * SECOND)

    def remaining(self) -> float:
        """Seconds that are left; less than 0 when it is over, inf without any."""
        deadline = self._slot.deadline()
        if not deadline:
            return float("inf")
        return (deadline - time.monotonic_ns()) / SECOND

    def extend(self, seconds: float) -> float:
        """Put it off by so many seconds; returns those that are left then.

        Never beyond --max-timeout, and never to an earlier moment.
        """
        deadline = self._slot.deadline()
        if deadline:
            latest = self._slot.started() + self._longest
            wanted = min(deadline + seconds * SECOND, latest)
            self._slot.postpone(max(deadline, int(wanted)))
        return self.remaining()
