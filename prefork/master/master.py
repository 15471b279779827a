"""The master: one loop that compares what runs with what should, and acts.

It never reads a request, imports no application, and nothing in it waits except
the loop.  Signals, messages, timers and exits are handled one at a time; stop
and reload are states of this loop.
"""

import os
import signal
import time
from collections.abc import Callable, Sequence

from setproctitle import setproctitle

from prefork.errors import EXIT_APPLICATION, EXIT_CUT, EXIT_OK
from prefork.master.canary import Canary
from prefork.master.crew import Crew
from prefork.master.generation import Generation, Stage
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.obituary import Obituary
from prefork.master.reactor import Reactor
from prefork.master.reload import Phase, Reload
from prefork.master.roster import FOREVER, Member, Roster
from prefork.master.templates import Templates
from prefork.monitor.scoreboard import SLOTS, Scoreboard
from prefork.settings import Settings
from prefork.system.listen import Listener
from prefork.system.processes import become_subreaper, describe_exit, reap
from prefork.system.signals import SignalPipe, name_of

MOST_WORKERS = SLOTS // 2  # a reload needs as many slots again
# A template forks one after the other, and its channel holds some 280 orders: of
# 512 at once those at the end were lost, or not registered in time.
BOOTING_AT_ONCE = 32
QUICK_GRACE = 0.5  # seconds that a quick stop leaves to requests
LONGEST_TURN = 1.0  # seconds between two looks at the requests' deadlines
RELOAD_TURN = 0.25
SUSPENDED = 2.0  # seconds late: we were stopped, or the machine slept


class Master:
    """Runs one server until it is told to stop."""

    def __init__(
        self,
        settings: Settings,
        arguments: Sequence[str],
        *,
        listeners: Listeners,
        logs: Logs,
        on_ready: Callable[[], None],
    ) -> None:
        self._arguments = arguments
        self._listeners = listeners
        self._logs = logs
        self._log = logs.log
        self._on_ready = on_ready
        self._reactor = Reactor()
        self._scoreboard = Scoreboard()
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._roster = Roster(slots=SLOTS)
        self._crew = Crew(
            self._roster,
            self._scoreboard,
            self._reactor,
            self._log,
            on_ready=self._worker_is_ready,
            on_failure=self._worker_cannot_load,
            on_exit=self._worker_exited,
        )
        self._templates = Templates(
            self._reactor,
            self._log,
            descriptors=self._heirlooms,
            on_loaded=self._template_is_loaded,
            on_failed=self._template_failed,
        )
        # What all workers should be of; during a reload the old one, until ROLL.
        self._target = self._templates.create(settings, listeners.open)
        self._previous: Generation | None = None  # what a rollback returns to
        self._reload: Reload | None = None
        self._wants_reload = False
        self._adjustment = 0  # by TTIN and TTOU; outlives reloads
        self._is_dismissed = False  # by WINCH: no workers until HUP or TTIN
        self._is_proven = False  # some worker has been ready
        self._was_staffed = False
        self._stop_signals = 0
        self._cut = 0  # requests that were cut by the stop
        self._failure = EXIT_OK  # the exit status of a start that came to nothing
        self._turned_at = time.monotonic()

    # The loop

    def run(self) -> int:
        """Keep the workers running until told to stop; return the exit status."""
        self._start()
        while not self._is_finished():
            self._reactor.turn(self._patience())
            self._reap()
            self._reconcile()
        return self._finish()

    def _start(self) -> None:
        become_subreaper()
        settings = self._target.settings
        setproctitle(f"prefork: master [{settings.name or settings.app}]")
        self._signals = SignalPipe((*ON_SIGNAL, signal.SIGCHLD))
        # It dumps the stacks of a worker; sent to us by mistake it must not end us.
        signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        self._reactor.watch(self._signals.fileno(), self._hear_signals)
        self._log.info("started master", pid=os.getpid(), workers=self._wanted())
        self._announce(self._listeners.open)
        self._reconcile()

    def _announce(self, listeners: Sequence[Listener]) -> None:
        for listener in listeners:
            self._log.info("listening", on=listener.url)

    def _is_finished(self) -> bool:
        is_alone = not self._roster.members and self._templates.are_gone()
        return bool(self._stop_signals) and is_alone

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        settings = self._target.settings
        limits = (settings.timeout, settings.slow)
        look_again = min(LONGEST_TURN, *(limit / 8 or FOREVER for limit in limits))
        if self._reload is not None:
            look_again = min(look_again, RELOAD_TURN)
        due = min(self._roster.next_deadline(), self._templates.next_deadline(now))
        return max(0.0, min(due - now, look_again))

    def _reap(self) -> None:
        for pid, code in reap():
            if self._crew.exited(pid, code) or self._templates.exited(pid, code):
                continue
            if self._reload and self._reload.check and self._reload.check.pid == pid:
                self._reload.check.exited(code)
            else:
                self._log.debug("reaped orphan", pid=pid, cause=describe_exit(code))

    def _reconcile(self) -> None:
        """One step from what is to what should be."""
        now = time.monotonic()
        late, self._turned_at = now - self._turned_at, now
        if late < LONGEST_TURN + SUSPENDED:
            self._crew.check_deadlines(now)
        # Else it is we who have slept, not they: they get one turn of grace.
        self._templates.check_deadlines(now)
        if not self._stop_signals:
            self._advance_reload(now)
            self._templates.reconcile(self._needed(), now)
            self._staff(now)
        else:
            self._templates.reconcile((), now)

    # Staffing

    def _wanted(self) -> int:
        """How many workers there should be."""
        wanted = self._target.settings.workers + self._adjustment
        return 0 if self._is_dismissed else max(1, min(wanted, MOST_WORKERS))

    def _staff(self, now: float) -> None:
        """Order the workers that are missing, retire those that are too many."""
        target, candidate = self._target, self._candidate()
        wanted = self._wanted()
        canary = (
            candidate if candidate is not None and candidate is not target else None
        )
        plan = self._roster.plan(
            target.number,
            wanted,
            surge=max(1, wanted // 8),
            at_once=self._at_once(target, now),
            ignore=canary.number if canary else 0,
        )
        self._order(target, plan.orders, now)
        for member in plan.retire:
            self._crew.retire(member)
        if canary and self._at_once(canary, now) and not self._roster.of(canary.number):
            self._order(canary, 1, now)
        self._announce_staffed()

    def _order(self, generation: Generation, count: int, now: float) -> None:
        try:
            for _ in range(count):
                self._crew.order(generation, now)
        except OSError as error:  # out of descriptors: they may come back
            reason = error.strerror or ""
            self._templates.try_later(generation, "cannot order worker", reason)

    def _at_once(self, generation: Generation, now: float) -> int:
        """How many workers may boot side by side: after failures only one."""
        if generation.stage is not Stage.READY or not generation.backoff.may_try(now):
            return 0
        return 1 if generation.backoff.failures else BOOTING_AT_ONCE

    def _announce_staffed(self) -> None:
        if self._was_staffed or self._is_dismissed:
            return
        if len(self._roster.serving(self._target.number)) >= self._wanted():
            self._was_staffed = True
            self._log.info(
                "ready", workers=self._wanted(), generation=self._target.number
            )

    # News of templates and workers

    def _heirlooms(self, settings: Settings) -> tuple[Sequence[int], int | None]:
        shared = (self._scoreboard.descriptor, self._bell)
        return shared, self._logs.access_descriptor(settings)

    def _template_is_loaded(self, generation: Generation) -> None:
        self._log.debug("loaded application", generation=generation.number)
        if self._reload is not None and generation is self._candidate():
            self._reload.template_is_ready()

    def _template_failed(self, generation: Generation, reason: str) -> None:
        if self._stop_signals:
            return
        if not self._is_proven:
            self._fail(reason, generation.failure_status)
        elif self._reload is not None and generation is self._candidate():
            self._reload.template_failed(reason)
        elif generation is self._target:
            self._templates.try_later(generation, "lost template", reason)

    def _worker_is_ready(self, member: Member) -> None:
        self._log.info("started worker", **self._crew.name(member))
        if not self._is_proven:
            self._is_proven = True
            self._on_ready()
        if self._reload is not None and self._is_candidate(member):
            self._reload.worker_is_ready(member)

    def _worker_cannot_load(self, member: Member, text: str) -> None:
        """A worker that imports by itself could not."""
        if not self._is_proven:
            self._fail(text)
        elif self._reload is not None and self._is_candidate(member):
            self._reload.worker_failed(text, was_ready=False)
        else:
            self._log.error(
                "cannot load application", **self._crew.name(member), text=text
            )

    def _worker_exited(self, obituary: Obituary) -> None:
        """A worker is no more: was it to be, and what follows?"""
        member = obituary.member
        generation = self._templates.generations.get(member.generation)
        obituary.log(self._log)
        settings = (generation or self._target).settings
        self._logs.write_cut_request(settings, obituary)
        if self._stop_signals:
            self._cut += obituary.unanswered
        elif obituary.is_blamed:
            self._blame(obituary, generation)

    def _blame(self, obituary: Obituary, generation: Generation | None) -> None:
        """It died before its time: back off, roll back, or just replace it."""
        member = obituary.member
        if not self._is_proven and not member.refusal:
            self._fail(f"a worker died at start: {obituary.cause}")
        elif self._reload is not None and self._is_candidate(member):
            reason = f"a new worker died: {obituary.cause}"
            self._reload.worker_failed(reason, was_ready=bool(member.ready_at))
        elif generation is not None and not obituary.is_proven:
            delay = generation.backoff.failed(time.monotonic())
            if generation.backoff.failures > 1:
                self._log.warning(
                    "backing off",
                    failures=generation.backoff.failures,
                    retry_in=round(delay, 2),
                )

    def _fail(self, reason: str, status: int = EXIT_APPLICATION) -> None:
        """Nothing has ever served: this is the end."""
        if not self._failure:
            self._log.critical("cannot start", text=reason)
            self._failure = status
        self._stop_signals = max(self._stop_signals, 1)
        for member in self._crew.members():
            self._crew.kill(member, "the start has failed")

    # Reload

    def _candidate(self) -> Generation | None:
        return self._reload.candidate if self._reload is not None else None

    def _is_candidate(self, member: Member) -> bool:
        candidate = self._candidate()
        return candidate is not None and member.generation == candidate.number

    def _needed(self) -> list[Generation]:
        """The generations that must have a template."""
        needed = (self._target, self._candidate(), self._previous)
        return [generation for generation in needed if generation is not None]

    def _advance_reload(self, now: float) -> None:
        if self._reload is None:
            if self._wants_reload and self._is_proven:
                self._begin_reload()
            return
        self._reload.check_deadlines(now)
        match self._reload.phase:
            case Phase.ROLL if self._target is not self._candidate():
                self._take_over()
            case Phase.ROLL if self._has_rolled():
                self._reload.commit()
                self._announce(self._listeners.commit(self._target.listeners))
                self._end_reload()
            case Phase.ROLLBACK:
                self._target = self._previous or self._target
                self._listeners.roll_back()
                self._end_reload()

    def _begin_reload(self) -> None:
        self._wants_reload = False
        self._is_dismissed = False
        self._reload = Reload(
            self._arguments,
            reactor=self._reactor,
            log=self._log,
            prepare=self._prepare_candidate,
            send_canary=self._send_canary,
        )

    def _prepare_candidate(self, settings: Settings) -> Generation:
        self._logs.access_descriptor(settings)  # refused now, or never
        return self._templates.create(settings, self._listeners.prepare(settings))

    def _send_canary(self, member: Member, canary: Canary) -> None:
        self._crew.send(member, "adopt", descriptors=[canary.for_worker.fileno()])

    def _take_over(self) -> None:
        """ROLL begins: from now on all workers should be of the candidate."""
        candidate = self._candidate()
        assert candidate is not None
        self._previous, self._target = self._target, candidate
        self._crew.drain = self._listeners.are_dropped(candidate.listeners)

    def _has_rolled(self) -> bool:
        serving = self._roster.serving(self._target.number)
        return len(serving) >= self._wanted() and not self._roster.others_serve(
            self._target.number
        )

    def _end_reload(self) -> None:
        self._reload = None
        self._previous = None
        self._crew.drain = False

    # Signals

    def _hear_signals(self) -> None:
        for number in self._signals.read_signals():
            if number in ON_SIGNAL:
                self._log.info("received signal", signal=name_of(number))
                ON_SIGNAL[number](self)

    def _ask_for_reload(self) -> None:
        """HUP: however many come while one reload runs, one more follows."""
        self._wants_reload = True

    def _add_worker(self) -> None:
        self._adjust(+1)

    def _remove_worker(self) -> None:
        self._adjust(-1)

    def _adjust(self, step: int) -> None:
        workers = self._target.settings.workers + self._adjustment + step
        if not 1 <= workers <= MOST_WORKERS:
            self._log.warning("cannot scale", workers=workers, most=MOST_WORKERS)
            return
        self._is_dismissed = False
        self._adjustment += step
        self._log.info("scaling", workers=self._wanted())

    def _dismiss_workers(self) -> None:
        """WINCH: retire them all; HUP or TTIN brings them back."""
        self._is_dismissed = True
        self._log.info("retiring all workers")

    def _reopen_logs(self) -> None:
        fresh = self._logs.reopen()
        for generation in self._templates.generations.values():
            names, descriptors = self._logs.pick(fresh, generation.settings)
            content = {"names": names, "descriptors": descriptors}
            self._templates.send(generation, "reopen", **content)
            for member in self._roster.of(generation.number):
                self._crew.send(member, "reopen", **content)
        for fd in fresh.values():
            os.close(fd)

    # Stop

    def _stop(self) -> None:
        """TERM, QUIT: finish everything; again: quickly; once more: now."""
        self._stop_signals += 1
        if self._stop_signals == 1:
            self._stop_gracefully()
        else:
            self._hurry()

    def _stop_quickly(self) -> None:
        """INT: leave half a second to what is being served."""
        if not self._stop_signals:
            self._stop()
        self._stop()

    def _stop_gracefully(self) -> None:
        """Close the doors to newcomers; have everyone answer who is inside."""
        self._listeners.close_doors()
        if self._reload is not None:
            self._reload.roll_back("the server is stopping", EXIT_OK)
        self._crew.drain = True
        for member in self._crew.members():
            self._crew.retire(member)

    def _hurry(self) -> None:
        grace = QUICK_GRACE if self._stop_signals == 2 else 0.0
        limit = time.monotonic() + grace
        for member in self._crew.members():
            if grace:
                member.deadline = min(member.deadline, limit)
            else:
                self._crew.kill(member, "stopped at once")

    def _finish(self) -> int:
        self._listeners.close()
        if self._failure:
            return self._failure
        if self._cut:
            self._log.warning("stopped master", requests_cut=self._cut)
            return EXIT_CUT
        self._log.info("stopped master", pid=os.getpid())
        return EXIT_OK


ON_SIGNAL: dict[int, Callable[[Master], None]] = {
    signal.SIGTERM: Master._stop,
    signal.SIGQUIT: Master._stop,
    signal.SIGINT: Master._stop_quickly,
    signal.SIGHUP: Master._ask_for_reload,
    signal.SIGTTIN: Master._add_worker,
    signal.SIGTTOU: Master._remove_worker,
    signal.SIGUSR1: Master._reopen_logs,
    signal.SIGWINCH: Master._dismiss_workers,
}
