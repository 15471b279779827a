"""After COMMIT: the new code is on probation, and there is a way back.

What it has replaced is kept meanwhile.  If too many new workers crash, workers of
the old code replace them, as in a ROLL, and the listeners are those of before.
"""

import time
from typing import Any

from prefork.errors import EXIT_APPLICATION
from prefork.master.cause import REFORK
from prefork.master.crew import Crew
from prefork.master.generation import Generation, Stage
from prefork.master.in_force import announce_change, open_for_good
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.outcome import Outcome
from prefork.master.probation import Probation
from prefork.master.reload import Phase, Reload
from prefork.master.staff import Staff
from prefork.master.worker_exit import WorkerExit


class AfterCommit:
    """At most one probation, or one return that follows from it."""

    def __init__(
        self, *, crew: Crew, staff: Staff, listeners: Listeners, logs: Logs
    ) -> None:
        self._crew = crew
        self._staff = staff
        self._listeners = listeners
        self._logs = logs
        self._probation: Probation | None = None
        self.is_returning = False  # the workers of before replace the new ones

    def begin_probation(self, kept: Generation, reload: Reload, now: float) -> None:
        self._probation = Probation(kept, reload.crashes, reload.cause, now)

    def end_probation(self) -> None:
        self._probation = None

    def end_return(self) -> None:
        self.is_returning = False
        self._crew.drain = False

    @property
    def is_on_probation(self) -> bool:
        return self._probation is not None

    @property
    def has_returned(self) -> bool:
        """Are all workers of the kept generation again?"""
        return self.is_returning and self._staff.has_rolled()

    @property
    def kept(self) -> Generation | None:
        """What a return would be to; None if there is no way back."""
        kept = self._probation.kept if self._probation else None
        # Not if it is dead: what another template would import is the new code.
        return kept if kept and kept.stage is Stage.READY else None

    def worker_died(self, worker_exit: WorkerExit, reason: str) -> None:
        is_new = worker_exit.member.generation == self._staff.target.number
        if self._probation is not None and is_new and not worker_exit.is_proven:
            self._probation.worker_died(reason, worker_exit.now)

    def check_probation(self, now: float, *, number: int) -> Outcome | None:
        """End the probation if it is time, or begin the return.

        Returns how reload `number`, which had come to its end, has failed after all.
        """
        probation, kept = self._probation, self.kept
        assert probation is not None
        if kept is not None and probation.reason:
            self._probation = None
            return self._return_to(kept, probation, number)
        if kept is None or now >= probation.until:
            self._probation = None
        return None

    def _return_to(
        self, kept: Generation, probation: Probation, number: int
    ) -> Outcome | None:
        """The new code is worse than what it has replaced.

        The listeners too are those of before.  One that was closed since is opened
        again: in between its clients were refused, and port 0 is another port.
        """
        phase, cause, reason = Phase.PROBATION, probation.cause, probation.reason
        self._logs.log.error(
            f"{cause.name} failed",
            phase=phase.value,
            keeping=cause.keeping,
            text=reason,
        )
        kept.listeners, refusals = self._listeners.restore(kept.settings)
        for refusal in refusals:
            self._logs.log.error("cannot restore listener", text=refusal)
        self._crew.drain = self._listeners.are_dropped(kept.listeners)
        self._staff.return_to(kept)
        new = open_for_good(kept, self._listeners, self._logs)
        announce_change(kept, new, self._logs)
        self.is_returning = True
        if cause is REFORK:
            kept.refork_after = ()
            return None
        status, when = EXIT_APPLICATION, time.time()
        return Outcome(number, phase, kept.number, reason, status, when, seconds=0.0)

    # Being handed over to another program

    def state(self) -> dict[str, Any] | None:
        """When no return is going on."""
        return self._probation.state() if self._probation else None

    def restore(
        self, state: dict[str, Any] | None, generations: dict[int, Generation]
    ) -> None:
        if state is not None:
            self._probation = Probation.restore(state, generations)
