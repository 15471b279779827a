"""Succession: one generation serves, another is tried, a third is kept for now.

It runs reloads, one at a time, and remembers how the last one ended.  What is kept,
and why it may be needed again, is in prefork/master/after_commit.py.
"""

from collections.abc import Sequence
from typing import Any

from prefork.master.after_commit import AfterCommit
from prefork.master.canary import Canary
from prefork.master.cause import REFORK, RELOAD, Cause
from prefork.master.crashes import method_and_path
from prefork.master.crew import Crew
from prefork.master.fixed import keep_fixed
from prefork.master.generation import Generation
from prefork.master.in_force import announce_change, open_for_good
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.outcome import Outcome
from prefork.master.reactor import Reactor
from prefork.master.refork import Reforks
from prefork.master.reload import Phase, Reload
from prefork.master.roster import Member
from prefork.master.staff import Staff
from prefork.master.stop import STOPPING
from prefork.master.templates import Templates
from prefork.master.watcher import Watcher
from prefork.master.worker_exit import WorkerExit
from prefork.settings import Settings


class Succession:
    """What the master asks and tells about generations."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        reactor: Reactor,
        crew: Crew,
        templates: Templates,
        staff: Staff,
        listeners: Listeners,
        logs: Logs,
    ) -> None:
        self._arguments = arguments
        self._reactor = reactor
        self._crew = crew
        self._templates = templates
        self._staff = staff
        self._listeners = listeners
        self._logs = logs
        self._log = logs.log
        self._is_wanted = False
        self._after_commit = AfterCommit(
            crew=crew, staff=staff, listeners=listeners, logs=logs
        )
        self._watcher = Watcher(arguments, reactor, logs.log, on_change=self.ask)
        self._reforks = Reforks(crew, templates)
        self._failed: Generation | None = None  # the last candidate, if it failed
        self.reload: Reload | None = None
        self.number = 0  # of the last reload that was begun
        self.outcome: Outcome | None = None  # of the last one that has ended

    def ask(self) -> None:
        """HUP: however many come while one reload runs, one more follows."""
        self._is_wanted = True

    @property
    def is_busy(self) -> bool:
        """Is a reload going on, or being undone?"""
        return self.reload is not None or self._after_commit.is_returning

    @property
    def candidate(self) -> Generation | None:
        return self.reload.candidate if self.reload is not None else None

    @property
    def canary(self) -> Generation | None:
        """The candidate, until all workers should be of it."""
        return None if self.candidate is self._staff.target else self.candidate

    def needed(self) -> list[Generation]:
        """The generations that must have a template."""
        staff, kept = self._staff, self._after_commit.kept
        needed = (staff.target, self.candidate, staff.previous, kept)
        return [generation for generation in needed if generation is not None]

    # One step

    def advance(self, now: float, *, may_begin: bool) -> None:
        self._advance(now, may_begin=may_begin)
        # A failed candidate's files too: the correction of a mistake is in one of them.
        looked_at = [self._staff.target, *([self._failed] if self._failed else [])]
        sources = [source for generation in looked_at for source in generation.sources]
        since = max(generation.imported_at for generation in looked_at)
        settings = self._staff.target.settings
        self._watcher.reconcile(settings, dict.fromkeys(sources), since)

    def _advance(self, now: float, *, may_begin: bool) -> None:
        if self.reload is not None:
            self._advance_reload(self.reload, now)
            return
        if self._is_wanted and may_begin:
            self._begin()
        elif self._after_commit.is_on_probation:
            failure = self._after_commit.check_probation(now, number=self.number)
            self.outcome = failure or self.outcome
        elif self._after_commit.has_returned:
            self._after_commit.end_return()
        elif may_begin:
            target = self._staff.target
            self.reload = self._reforks.consider(target, now, self._make_reload)

    def _advance_reload(self, reload: Reload, now: float) -> None:
        reload.check_deadlines(now)
        if reload.phase is Phase.ROLL and self._staff.target is not reload.candidate:
            self._take_over()  # of a single worker that is all: its canary serves
        match reload.phase:
            case Phase.ROLL if self._may_commit():
                self._commit(reload, now)
            case Phase.ROLLBACK:
                self._staff.go_back()
                self._listeners.roll_back()
                self._end(reload)

    def _begin(self) -> None:
        self._is_wanted = False
        self._after_commit.end_return()
        self._staff.recall()
        self.number += 1
        self.reload = self._make_reload(RELOAD)
        self.reload.begin(self._arguments, self._prepare_candidate)

    def _make_reload(self, cause: Cause) -> Reload:
        return Reload(
            cause,
            reactor=self._reactor,
            log=self._log,
            send_canary=self._send_canary,
            was_asked=lambda member: self._crew.has_begun(member.slot),
            open_doors=self._crew.open,
        )

    def _prepare_candidate(self, settings: Settings) -> Generation:
        in_force = self._staff.target.settings
        settings = keep_fixed(settings, in_force, warn=self._log.warning)
        self._logs.access_descriptor(settings)  # raises before anything is changed
        return self._templates.create(settings, self._listeners.prepare(settings))

    def _send_canary(self, member: Member, canary: Canary) -> None:
        self._crew.send(member, "adopt", descriptors=[canary.for_worker.fileno()])

    def _take_over(self) -> None:
        """ROLL begins: from now on all workers should be of the candidate."""
        assert self.candidate is not None
        self._after_commit.end_probation()
        self._staff.take_over(self.candidate)
        self._crew.drain = self._listeners.are_dropped(self.candidate.listeners)

    def _may_commit(self) -> bool:
        """Are all workers new?  Where doors are to be closed the last old ones stay:
        somebody has to take in those who come until then."""
        if self._crew.drain:
            return self._staff.is_complete()
        return self._staff.has_rolled()

    def _commit(self, reload: Reload, now: float) -> None:
        # What may fail comes first: until then there is a way back.
        target = self._staff.target
        new = open_for_good(target, self._listeners, self._logs)
        self._staff.retire_others()
        reload.commit()
        if kept := self._staff.settle():
            self._after_commit.begin_probation(kept, reload, now)
        self._end(reload)
        announce_change(target, new, self._logs)

    def undo(self, reason: str, status: int) -> None:
        """Roll back, if there is a reload: something unforeseen has failed."""
        if self.reload is not None:
            self.reload.roll_back(reason, status)

    def _end(self, reload: Reload) -> None:
        self._failed = reload.candidate if reload.failed_in else None
        self.reload = None
        self._crew.drain = False
        if reload.cause is REFORK:
            self._reforks.end(reload, self._staff.target)
            return
        serving = self._staff.target.number
        self.outcome = Outcome.of(reload, self.number, generation=serving)

    # News; False: it does not concern the reload

    def reaped(self, pid: int, code: int) -> bool:
        if self._watcher.exited(pid, code):
            return True
        check = self.reload.check if self.reload is not None else None
        if check is None or check.pid != pid:
            return False
        check.exited(code)
        return True

    def template_is_loaded(self, generation: Generation) -> None:
        if self.reload is not None and generation is self.candidate:
            self.reload.template_is_ready()

    def template_failed(self, generation: Generation, reason: str) -> bool:
        if self.reload is None or generation is not self.candidate:
            return False
        self.reload.template_failed(reason)
        return True

    def worker_is_ready(self, member: Member) -> None:
        if self.reload is not None and self._is_candidate(member):
            self.reload.worker_is_ready(member)
        else:
            self._crew.open(member)

    def worker_cannot_load(self, member: Member, text: str) -> bool:
        if self.reload is None or not self._is_candidate(member):
            return False
        self.reload.worker_failed(text, was_ready=False)
        return True

    def worker_died(self, worker_exit: WorkerExit) -> bool:
        """Before its time, and not because it was told to."""
        member = worker_exit.member
        if self._is_old_trouble(worker_exit):
            return False
        reason = f"a new worker died: {worker_exit.cause}"
        if worker_exit.tenant.is_busy:
            reason += f", serving {method_and_path(worker_exit.tenant.request)}"
        if self.reload is not None and self._is_candidate(member):
            self.reload.worker_failed(reason, was_ready=bool(member.ready_at))
            return True
        self._after_commit.worker_died(worker_exit, reason)
        return False  # it may have to be replaced: with back-off

    def _is_old_trouble(self, worker_exit: WorkerExit) -> bool:
        """Was it a request that has killed workers of the code before as well?"""
        tenant, generation = worker_exit.tenant, worker_exit.member.generation
        if not tenant.is_busy or not self._crew.crashes.is_old(
            tenant.request, generation
        ):
            return False
        if self.reload is not None or self._after_commit.is_on_probation:
            self._log.warning(
                "crash not held against new code",
                request=method_and_path(tenant.request),
                reason="it has killed workers of the code before",
            )
        return True

    def _is_candidate(self, member: Member) -> bool:
        candidate = self.candidate
        return candidate is not None and member.generation == candidate.number

    def stop(self) -> None:
        """There will be no other generation."""
        self._watcher.dismiss()
        if self.reload is not None:
            self.reload.give_up(STOPPING)

    # Being handed over to another program

    def state(self) -> dict[str, Any]:
        """When it is not busy."""
        return {
            "arguments": list(self._arguments),
            "number": self.number,
            "is_wanted": self._is_wanted,
            "probation": self._after_commit.state(),
            "outcome": self.outcome and self.outcome.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.number = state["number"]
        self._is_wanted = state["is_wanted"]
        self._after_commit.restore(state["probation"], self._templates.generations)
        if outcome := state["outcome"]:
            self.outcome = Outcome.restore(outcome)
