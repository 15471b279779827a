"""The headline: how the server is, in one line, for `systemctl status`.

4/8 busy, 1520 req/s, gen 7, queue 0
reloading (canary), 4/8 busy, 1498 req/s, gen 7, queue 0
3/2:8 serve, gen 7, queue 0                  (copies of a program, 2 to 8 of them)
"""

from collections.abc import Iterator

from prefork.master.parts import Parts
from prefork.master.status import count_workers
from prefork.monitor.totals import read_totals
from prefork.system.queue import read_queue

SHORTEST_SPAN = 1.0  # seconds: one request in a millisecond is no rate of thousands


class Headline:
    """Remembers how many requests there were: what is told is a rate."""

    def __init__(self, parts: Parts, now: float) -> None:
        self._parts = parts
        self._rate = 0.0
        self._requests, self._since = self._count(), now

    def read(self, now: float) -> str:
        """As it is now; the rate is that of the last second or more."""
        if (span := now - self._since) >= SHORTEST_SPAN:
            before, self._since = self._requests, now
            self._requests = self._count()
            self._rate = max(0, self._requests - before) / span
        return ", ".join(self._phrases())

    def _count(self) -> int:
        return read_totals(self._parts.scoreboard).requests

    def _phrases(self) -> Iterator[str]:
        workers = count_workers(self._parts)
        if activity := self.read_activity():
            yield activity
        if workers["busy"] is None:
            yield f"{workers['serving']}/{workers['scale']} serve"
        else:
            yield f"{workers['busy']}/{workers['serving'] + workers['leaving']} busy"
            yield f"{self._rate:.0f} req/s"
        yield f"gen {self._parts.staff.target.number}"
        if (queue := self._read_queues()) is not None:
            yield f"queue {queue}"
        outcome = self._parts.succession.outcome
        if outcome is not None and outcome.reason:
            yield f"last reload failed in phase {outcome.phase.value}"

    def read_activity(self) -> str:
        """What the master does beside serving; "": nothing."""
        parts = self._parts
        if parts.stop.is_going_on:
            return "stopping"
        if not parts.staff.was_complete:
            return "starting"
        if parts.upgrade.phase is not None:
            return "upgrading"
        reload = parts.succession.reload
        return f"{reload.cause.name}ing ({reload.phase.value})" if reload else ""

    def _read_queues(self) -> int | None:
        """All of them together; None where nobody tells."""
        queues = [read_queue(each.socket) for each in self._parts.listeners.open]
        known = [queue for queue in queues if queue is not None]
        return sum(known) if known else None
