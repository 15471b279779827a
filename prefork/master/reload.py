"""A reload is a transaction: CHECK → BOOT → CANARY → ROLL → COMMIT.

    CHECK   the new configuration is read in a child
    BOOT    new listeners are opened; a new template imports the application
    CANARY  one new worker becomes ready, answers one request, and lives for a while
    ROLL    a new worker becomes ready, then an old one retires; and again
    COMMIT  all workers are new: the old template is kept for a while (probation)

A refork (prefork/master/refork.py) has no CHECK: nothing in it is new but the
template.  Then it is BOOT until a worker has become that.

ROLLBACK is possible from each of them: the old template is alive, so the old
generation is whole again as fast as it can fork.
"""

import time
from collections.abc import Callable, Sequence
from enum import Enum

from prefork.errors import EXIT_APPLICATION, EXIT_OK, EXIT_REFUSED, PreforkError
from prefork.master.canary import Canary
from prefork.master.cause import Cause
from prefork.master.check import check
from prefork.master.generation import Generation
from prefork.master.inquiry import Inquiry
from prefork.master.probation import CrashCount
from prefork.master.reactor import Reactor
from prefork.master.roster import FOREVER, Member
from prefork.monitor.log import Log
from prefork.settings import Settings

BAKE = 2.0  # seconds: enough for what fails at once, and a deployment hardly waits


class Phase(Enum):
    CHECK = "check"
    BOOT = "boot"
    CANARY = "canary"
    ROLL = "roll"
    COMMIT = "commit"
    ROLLBACK = "rollback"
    PROBATION = "probation"  # after COMMIT: of an Outcome only, never of a Reload


class Reload:
    """One reload; the master looks at `phase` and `candidate`, and tells it news."""

    def __init__(
        self,
        cause: Cause,
        *,
        reactor: Reactor,
        log: Log,
        send_canary: Callable[[Member, Canary], None],
        was_asked: Callable[[Member], bool],
        open_doors: Callable[[Member], None],
    ) -> None:
        self.cause = cause
        self._reactor = reactor
        self._log = log
        self._send_canary = send_canary
        self._was_asked = was_asked
        self._open_doors = open_doors
        self.phase = Phase.CHECK
        self.candidate: Generation | None = None
        self.reason = ""
        self.exit_status = 0  # what a failed reload would be as a start
        self.failed_in: Phase | None = None
        self.crashes = CrashCount()  # of new workers that were ready
        self._began = time.monotonic()
        self._canary: Canary | None = None
        self._roll_at = FOREVER  # monotonic; the canary has lived long enough then
        self.check: Inquiry | None = None

    def begin(
        self, arguments: Sequence[str], prepare: Callable[[Settings], Generation]
    ) -> None:
        """Read the configuration; `prepare(settings)` makes the candidate: it opens
        what is new of its listeners."""

        def checked(settings: Settings | None, complaint: str, status: int) -> None:
            self._checked(settings, complaint, status, prepare)

        self._enter(Phase.CHECK)
        try:
            self.check = check(arguments, self._reactor, checked)
        except OSError as error:
            self.roll_back(f"cannot start a process: {error.strerror}", EXIT_REFUSED)

    def begin_with(self, candidate: Generation, **fields: object) -> None:
        """A refork: the configuration stays, and the candidate is being born."""
        self.candidate = candidate
        self._enter(Phase.BOOT, generation=candidate.number, **fields)

    @property
    def is_over(self) -> bool:
        return self.phase in (Phase.COMMIT, Phase.ROLLBACK)

    def _checked(
        self,
        settings: Settings | None,
        complaint: str,
        status: int,
        prepare: Callable[[Settings], Generation],
    ) -> None:
        self.check = None
        if self.is_over:
            return
        if settings is None:
            self.roll_back(complaint, status)
            return
        try:
            self.candidate = prepare(settings)
        except PreforkError as error:
            self.roll_back(str(error), error.exit_status)
        else:
            self._enter(Phase.BOOT, generation=self.candidate.number)

    def check_deadlines(self, now: float) -> None:
        if self.check is not None and now >= self.check.deadline:
            self.check.give_up()
        if self._canary is not None:
            self._canary.check_deadline(now)
        if self.phase is Phase.CANARY and now >= self._roll_at:
            self._enter(Phase.ROLL)

    def template_is_ready(self) -> None:
        if self.phase is Phase.BOOT:
            self._enter(Phase.CANARY)

    def template_failed(self, reason: str) -> None:
        """The candidate's template is dead, perhaps after it had loaded.

        It is not started again: it would import the code that is there by now, which
        the canary may not have tried.
        """
        assert self.candidate is not None
        self.roll_back(reason, self.candidate.failure_status)

    def worker_is_ready(self, member: Member) -> None:
        """A new worker could serve; the canary must answer us before clients come."""
        assert self.candidate is not None
        path = self.candidate.settings.canary_path
        if self.phase is not Phase.CANARY or not path:
            self._open_doors(member)
            if self.phase is Phase.CANARY:
                self._bake()
            return

        def done(reason: str) -> None:
            self._canary_answered(member, reason)

        try:
            self._canary = Canary(path, self._reactor, done)
        except OSError as error:
            done(f"cannot ask: {error.strerror}")
        else:
            self._send_canary(member, self._canary)
            self._canary.for_worker.close()  # our copy would hide a hang-up

    def _canary_answered(self, member: Member, reason: str) -> None:
        self._canary = None
        if not reason and not self._was_asked(member):
            reason = "the request was refused before the application was asked"
        if reason:
            self.roll_back(f"canary failed: {reason}", EXIT_APPLICATION)
        else:
            self._open_doors(member)
            self._bake()

    def _bake(self) -> None:
        """The canary is well; it also has to stay so."""
        assert self.candidate is not None
        if self._roll_at < FOREVER:
            return  # the canary was recycled: its successor is not watched anew
        settings = self.candidate.settings
        automatic = 0.0 if settings.reload else BAKE
        seconds = automatic if settings.bake is None else settings.bake
        self._roll_at = time.monotonic() + seconds
        self.check_deadlines(time.monotonic())

    def worker_failed(self, reason: str, *, was_ready: bool) -> None:
        """A new worker has died, or could not load the application."""
        self.crashes.add(time.monotonic())
        is_canary = self.phase is Phase.CANARY
        if is_canary or not was_ready or self.crashes.are_too_many():
            self.roll_back(reason, EXIT_APPLICATION)

    def commit(self) -> None:
        self._enter(Phase.COMMIT, seconds=self.seconds)

    @property
    def seconds(self) -> float:
        """How long it has taken so far."""
        return round(time.monotonic() - self._began, 3)

    def roll_back(self, reason: str, status: int) -> None:
        """Leave everything as it was, and say why."""
        if self.is_over:
            return
        phase = self.phase.value
        self._end(reason, status)
        self._log.error(
            f"{self.cause.name} failed",
            phase=phase,
            keeping=self.cause.keeping,
            text=reason,
        )

    def give_up(self, reason: str) -> None:
        """Leave everything as it was, though nothing is wrong with the new code."""
        if self.is_over:
            return
        phase = self.phase.value
        self._end(reason, EXIT_OK)
        self._log.info(f"gave up {self.cause.name}", phase=phase, text=reason)

    def _end(self, reason: str, status: int) -> None:
        self.failed_in, self.phase = self.phase, Phase.ROLLBACK
        self.reason, self.exit_status = reason, status
        if self.check is not None:
            self.check.give_up()
            self.check.close()
            self.check = None
        if self._canary is not None:
            self._canary.close()

    def _enter(self, phase: Phase, **fields: object) -> None:
        self.phase = phase
        self._log.info(f"{self.cause.name}ing", phase=phase.value, **fields)
