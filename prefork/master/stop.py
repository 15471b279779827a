"""Stopping, a state of the loop: all answered, or quickly, or at once."""

import os
import time
from collections.abc import Callable

from prefork.errors import EXIT_APPLICATION, EXIT_CUT, EXIT_OK
from prefork.master.crew import Crew
from prefork.master.listeners import Listeners
from prefork.master.roster import Member
from prefork.master.states import State
from prefork.master.worker_exit import AT_ONCE, WorkerExit
from prefork.monitor.log import Log

STOPPING = "the server is stopping"  # why nothing else is begun, or goes on
QUICK_GRACE = 0.5  # seconds that a quick stop leaves to requests


class Stop:
    """How far the stop has come, what it has cost, and the exit status."""

    def __init__(
        self,
        listeners: Listeners,
        crew: Crew,
        log: Log,
        *,
        order_drainer: Callable[[], None],
    ) -> None:
        self._listeners = listeners
        self._crew = crew
        self._log = log
        self._order_drainer = order_drainer
        self._asked = 0  # 1: all are to finish; 2: quickly; more: at once
        self.cut = 0  # requests that nobody answered
        self.exit_status: int | None = None  # once it is over
        self._failure = EXIT_OK  # of a start that came to nothing

    @property
    def is_going_on(self) -> bool:
        return self._asked > 0

    def ask(self) -> None:
        """TERM, QUIT: finish everything; again: quickly; once more: now."""
        self._asked += 1
        if self._asked == 1:
            self._begin()
        else:
            self._hurry()

    def ask_quickly(self) -> None:
        """INT: leave half a second to what is being served."""
        if not self._asked:
            self.ask()
        self.ask()

    def _begin(self) -> None:
        """Close the doors to newcomers; have everyone answer who is inside."""
        self._listeners.close_doors()
        # Where doors stay open there is no end of the queue, and it is not lost.
        self._crew.drain = not self._listeners.outlive_us
        serving = self._crew.roster.in_states(State.SETTLING, State.SERVING)
        self._crew.retire(self._crew.members())
        if self._crew.drain and not serving:  # nobody would answer who is queued
            self._order_drainer()

    def worker_is_ready(self, member: Member) -> None:
        """The drainer: whoever else was being born has been killed."""
        self._crew.retire([member])
        if self._asked > 1:
            self._hurry()

    def _hurry(self) -> None:
        limit = time.monotonic() + QUICK_GRACE
        for member in self._crew.members():
            if self._asked == 2:
                member.deadline = min(member.deadline, limit)
            else:
                self._crew.kill(member, AT_ONCE)

    def fail(self, reason: str, status: int = EXIT_APPLICATION) -> None:
        """End a start that came to nothing, before any worker was ready."""
        if not self._failure:
            self._log.critical("cannot start", text=reason)
            self._failure = status
        self._asked = max(self._asked, 1)
        for member in self._crew.members():
            self._crew.kill(member, "the start has failed")

    def count(self, worker_exit: WorkerExit) -> None:
        """A worker has left: what has it taken with it?"""
        self.cut += worker_exit.unanswered

    def finish(self) -> int:
        """All processes are gone; returns the exit status."""
        self._listeners.close()
        self.exit_status = self._conclude()
        return self.exit_status

    def _conclude(self) -> int:
        if self._failure:
            return self._failure
        if self.cut:
            self._log.warning("stopped master", pid=os.getpid(), requests_cut=self.cut)
            return EXIT_CUT
        self._log.info("stopped master", pid=os.getpid())
        return EXIT_OK
