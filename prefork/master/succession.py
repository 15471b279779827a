"""Succession: one generation serves, another is tried, a third is kept for now.

It runs reloads, one at a time; holds the predecessor while its successor is on
probation; and remembers how the last reload ended.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from setproctitle import setproctitle

from prefork.errors import EXIT_APPLICATION
from prefork.master.announcement import announce
from prefork.master.canary import Canary
from prefork.master.cause import REFORK, RELOAD, Cause
from prefork.master.crashes import method_and_path
from prefork.master.crew import Crew
from prefork.master.fixed import keep_fixed
from prefork.master.generation import Generation, Stage
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.probation import Probation
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
from prefork.system.listen import Listener


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reload ended."""

    number: int  # of the reload, from 1
    phase: Phase  # COMMIT; or the one in which it failed
    generation: int  # that serves since
    reason: str  # why it failed; empty: it has not
    exit_status: int  # of `prefork reload`
    when: float  # Unix time
    seconds: float  # that it took


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
        self._is_returning = False  # the workers of before replace the new ones
        self._probation: Probation | None = None
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
        return self.reload is not None or self._is_returning

    @property
    def candidate(self) -> Generation | None:
        return self.reload.candidate if self.reload is not None else None

    @property
    def canary(self) -> Generation | None:
        """The candidate, until all workers should be of it."""
        return None if self.candidate is self._staff.target else self.candidate

    def needed(self) -> list[Generation]:
        """The generations that must have a template."""
        needed = [self._staff.target, self.candidate, self._staff.previous]
        kept = self._probation.kept if self._probation else None
        # Not if it is dead: what another template would import is the new code.
        if kept is not None and kept.stage is Stage.READY:
            needed.append(kept)
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
        elif self._probation is not None:
            self._advance_probation(self._probation, now)
        elif self._is_returning and self._staff.has_rolled():
            self._end_return()
        elif may_begin:
            target = self._staff.target
            self.reload = self._reforks.consider(target, now, self._make_reload)

    def _advance_reload(self, reload: Reload, now: float) -> None:
        reload.check_deadlines(now)
        match reload.phase:
            case Phase.ROLL if self._staff.target is not reload.candidate:
                self._take_over()
            case Phase.ROLL if self._staff.has_rolled():
                self._commit(reload, now)
            case Phase.ROLLBACK:
                self._staff.go_back()
                self._listeners.roll_back()
                self._end(reload)

    def _begin(self) -> None:
        self._is_wanted = False
        self._end_return()
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
        self._probation = None
        self._staff.take_over(self.candidate)
        self._crew.drain = self._listeners.are_dropped(self.candidate.listeners)

    def _commit(self, reload: Reload, now: float) -> None:
        # What may fail comes first: until then there is a way back.
        new = self._open_for_good(self._staff.target)
        reload.commit()
        if kept := self._staff.settle():
            self._probation = Probation(kept, reload.crashes, reload.cause, now)
        self._end(reload)
        self._announce(self._staff.target, new)

    def undo(self, reason: str, status: int) -> None:
        """Roll back, if there is a reload: something unforeseen has failed."""
        if self.reload is not None:
            self.reload.roll_back(reason, status)

    def _open_for_good(self, generation: Generation) -> list[Listener]:
        """Its listeners and no others; returns those that are new."""
        setproctitle(f"prefork: master [{generation.settings.title}]")
        for complaint in self._listeners.adjust(generation.settings):
            self._log.warning("cannot change listener", text=complaint)
        return self._listeners.commit(generation.listeners)

    def _announce(self, generation: Generation, new: Iterable[Listener]) -> None:
        """Speak as its settings say from now on."""
        self._logs.configure(generation.settings)
        for listener in new:
            announce(listener, self._log)

    def _end(self, reload: Reload) -> None:
        self._failed = reload.candidate if reload.failed_in else None
        self.reload = None
        self._crew.drain = False
        if reload.cause is REFORK:
            self._reforks.end(reload, self._staff.target)
            return
        self.outcome = Outcome(
            self.number,
            reload.failed_in or Phase.COMMIT,
            self._staff.target.number,
            reload.reason,
            reload.exit_status,
            time.time(),
            reload.seconds,
        )

    # After COMMIT

    def _advance_probation(self, probation: Probation, now: float) -> None:
        can_return = probation.kept.stage is Stage.READY
        if probation.reason and can_return:
            self._probation = None
            self._return_to(probation.kept, probation.cause, probation.reason)
        elif now >= probation.until or not can_return:
            self._probation = None

    def _return_to(self, kept: Generation, cause: Cause, reason: str) -> None:
        """The new code is worse than what it has replaced.

        The listeners too are those of before.  One that was closed since is opened
        again: in between its clients were refused, and port 0 is another port.
        """
        phase = Phase.PROBATION
        self._log.error(
            f"{cause.name} failed",
            phase=phase.value,
            keeping=cause.keeping,
            text=reason,
        )
        kept.listeners, refusals = self._listeners.restore(kept.settings)
        for refusal in refusals:
            self._log.error("cannot restore listener", text=refusal)
        self._crew.drain = self._listeners.are_dropped(kept.listeners)
        self._staff.return_to(kept)
        self._announce(kept, self._open_for_good(kept))
        self._is_returning = True
        if cause is REFORK:
            kept.refork_after = ()
            return
        self.outcome = Outcome(
            self.number, phase, kept.number, reason, EXIT_APPLICATION, time.time(), 0.0
        )

    def _end_return(self) -> None:
        self._is_returning = False
        self._crew.drain = False

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
        is_new = member.generation == self._staff.target.number
        if self._probation is not None and is_new and not worker_exit.is_proven:
            self._probation.worker_died(reason, worker_exit.now)
        return False  # it may have to be replaced: with back-off

    def _is_old_trouble(self, worker_exit: WorkerExit) -> bool:
        """Was it a request that has killed workers of the code before as well?"""
        tenant, generation = worker_exit.tenant, worker_exit.member.generation
        if not tenant.is_busy or not self._crew.crashes.is_old(
            tenant.request, generation
        ):
            return False
        if self.reload is not None or self._probation is not None:
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
        outcome, probation = self.outcome, self._probation
        return {
            "arguments": list(self._arguments),
            "number": self.number,
            "is_wanted": self._is_wanted,
            "probation": probation and probation.state(),
            "outcome": outcome and {**asdict(outcome), "phase": outcome.phase.value},
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.number = state["number"]
        self._is_wanted = state["is_wanted"]
        if probation := state["probation"]:
            generations = self._templates.generations
            self._probation = Probation.restore(probation, generations)
        if outcome := state["outcome"]:
            self.outcome = Outcome(**{**outcome, "phase": Phase(outcome["phase"])})
