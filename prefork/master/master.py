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

from prefork.master.announcement import announce
from prefork.master.backstop import Backstop
from prefork.master.control import Control
from prefork.master.crew import Crew
from prefork.master.demand import Demand
from prefork.master.handover import State
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.news import News
from prefork.master.parts import Parts
from prefork.master.reactor import Reactor
from prefork.master.roster import FOREVER, Roster
from prefork.master.sharing import reopen
from prefork.master.staff import Staff
from prefork.master.stop import Stop
from prefork.master.succession import Succession
from prefork.master.systemd_reporter import SystemdReporter
from prefork.master.templates import Templates
from prefork.master.upgrade import Upgrade
from prefork.master.verbs import Verbs
from prefork.monitor.scoreboard import SLOTS, Scoreboard
from prefork.settings import Settings
from prefork.system.lifeline import Lifeline
from prefork.system.listen import Listener
from prefork.system.notify import Notifier
from prefork.system.pidfile import PidFile
from prefork.system.processes import become_subreaper, reap
from prefork.system.signals import SignalPipe, name_of, unblock_all

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
        scoreboard: Scoreboard,
        listeners: Listeners,
        logs: Logs,
        pid_file: PidFile | None,
        control_listener: Listener | None,
        notifier: Notifier | None,
        on_ready: Callable[[], None],
        handover: State | None = None,
    ) -> None:
        """`handover`: after an upgrade, the state() of the program before us."""
        self._listeners = listeners
        self._logs = logs
        self._log = logs.log
        self._backstop = self._make_backstop()
        self._reactor = Reactor(self._backstop)
        self._scoreboard = scoreboard
        self._bell = handover["bell"]["fd"] if handover else _make_bell()
        self._lifeline = Lifeline(handover["lifeline"] if handover else None)
        self._roster = Roster(slots=SLOTS)
        self._crew = self._make_crew()
        self._templates = self._make_templates()
        self._staff = self._make_staff(settings)
        self._stop = Stop(
            listeners, self._crew, self._log, order_drainer=self._order_drainer
        )
        self._succession = Succession(
            arguments,
            reactor=self._reactor,
            crew=self._crew,
            templates=self._templates,
            staff=self._staff,
            listeners=listeners,
            logs=logs,
        )
        self._upgrade = Upgrade(self._reactor, self._log, state=self._state)
        self._parts = self._make_parts(pid_file, control_listener, handover)
        self._news = News(self._parts, on_ready=on_ready)
        self._systemd_reporter = SystemdReporter(self._parts, notifier)
        self._verbs = self._make_verbs()
        self._control = self._make_control()
        self._handover = handover
        self._turned_at = time.monotonic()
        self._exits: list[tuple[int, int]] = []  # not told to all yet: _reap()
        if handover:
            self._restore(handover)

    def _make_backstop(self) -> Backstop:
        return Backstop(
            self._log,
            is_needed=lambda: self._news.is_proven,
            is_stopping=lambda: self._stop.is_going_on,
            undo=self._undo,
        )

    def _undo(self, reason: str, status: int) -> None:
        """End a reload or an upgrade: it may be why something has failed."""
        self._succession.undo(reason, status)
        self._upgrade.undo(reason, status)

    def _make_crew(self) -> Crew:
        return Crew(
            self._roster,
            self._scoreboard,
            self._reactor,
            self._log,
            on_ready=lambda member: self._news.worker_is_ready(member),
            on_failure=lambda member, text: self._news.worker_cannot_load(member, text),
            on_exit=lambda worker_exit: self._news.worker_exited(worker_exit),
        )

    def _make_templates(self) -> Templates:
        return Templates(
            self._reactor,
            self._log,
            descriptors=self._descriptors,
            explain=self._crew.explain,
            release=self._crew.release,
            on_loaded=lambda new: self._news.template_is_loaded(new),
            on_failed=lambda failed, why: self._news.template_failed(failed, why),
        )

    def _make_staff(self, settings: Settings) -> Staff:
        return Staff(
            self._roster,
            self._crew,
            self._templates,
            self._log,
            demand=Demand(self._roster, self._scoreboard, self._reactor, self._log),
            target=self._templates.create(settings, self._listeners.open),
        )

    def _make_parts(
        self,
        pid_file: PidFile | None,
        control_listener: Listener | None,
        handover: State | None,
    ) -> Parts:
        return Parts(
            scoreboard=self._scoreboard,
            bell=self._bell,
            lifeline=self._lifeline,
            pid_file=pid_file,
            control_listener=control_listener,
            crew=self._crew,
            staff=self._staff,
            templates=self._templates,
            listeners=self._listeners,
            logs=self._logs,
            succession=self._succession,
            upgrade=self._upgrade,
            stop=self._stop,
            started_at=handover["started_at"] if handover else time.monotonic(),
        )

    def _make_verbs(self) -> Verbs:
        return Verbs(
            self._parts,
            stop=self._stop_gracefully,
            stop_quickly=self._stop_quickly,
            reopen=self._reopen_logs,
        )

    def _make_control(self) -> Control:
        listener = self._parts.control_listener
        return Control(listener, self._reactor, self._log, self._verbs.table)

    # The loop

    def run(self) -> int:
        """Keep the workers running until told to stop; return the exit status."""
        self._start()
        while not self._is_finished():
            self._turn()
        status = self._stop.finish()
        self._control.turn(time.monotonic())  # who waits for the end is told of it
        return status

    def _turn(self) -> None:
        with self._backstop:
            self._reactor.turn(self._patience())
        with self._backstop:
            self._reap()
        with self._backstop:
            self._reconcile()
        with self._backstop:
            self._systemd_reporter.turn(time.monotonic())
        with self._backstop:
            self._control.turn(time.monotonic())
        self._backstop.rest()

    def _start(self) -> None:
        become_subreaper()
        setproctitle(f"prefork: master [{self._staff.target.settings.title}]")
        self._signals = SignalPipe((*ON_SIGNAL, signal.SIGCHLD))
        self._reactor.watch(self._signals.fileno(), self._hear_signals)
        if self._handover:
            self._upgrade.announce(self._handover)
        else:
            self._announce()
        unblock_all()  # what came while one program became another was held back
        with self._backstop:
            self._reap()
            self._reconcile()

    def _announce(self) -> None:
        self._log.info("started master", pid=os.getpid(), workers=self._staff.wanted)
        for listener in self._listeners.open:
            announce(listener, self._log)

    def _is_finished(self) -> bool:
        is_alone = not self._roster.members and self._templates.are_gone()
        return self._stop.is_going_on and is_alone

    def _patience(self) -> float:
        """Seconds until something is due."""
        now = time.monotonic()
        settings = self._staff.target.settings
        limits = (settings.timeout, settings.slow)
        look_again = min(LONGEST_TURN, *(limit / 8 or FOREVER for limit in limits))
        if self._succession.reload is not None or self._upgrade.is_going_on:
            look_again = min(look_again, RELOAD_TURN)
        due = min(
            self._roster.next_deadline(),
            self._templates.next_deadline(now),
            self._staff.next_look(),
            self._systemd_reporter.due,
        )
        return max(0.0, min(due - now, look_again))

    def _reap(self) -> None:
        """Tell everyone of the children that have exited.

        If that fails half-way it is told again at the next turn: a pid that was
        reaped may soon be another process's, so nobody may go on using it.
        """
        interrupted, self._exits = self._exits, []
        for pid, code in interrupted:
            self._tell_exit(pid, code)
        for pid, code in reap():
            self._exits.append((pid, code))
            self._tell_exit(pid, code)
            self._exits.pop()

    def _tell_exit(self, pid: int, code: int) -> None:
        known = (
            self._crew.exited,
            self._templates.exited,
            self._succession.reaped,
            self._upgrade.reaped,
        )
        if not any(exited(pid, code) for exited in known):
            self._log.debug("reaped orphan", pid=pid, cause=self._crew.explain(code))

    def _reconcile(self) -> None:
        """One step from what is to what should be."""
        now = time.monotonic()
        late, self._turned_at = now - self._turned_at, now
        # After a sleep of our own every deadline looks overdue: first we hear what
        # workers have said in the meantime.
        has_slept = late >= LONGEST_TURN + SUSPENDED
        if not has_slept:
            self._crew.check_deadlines(now)
            self._templates.check_deadlines(now)
        self._news.check_start(now)
        if self._stop.is_going_on:
            self._staff.rest()
            self._templates.reconcile(self._staff.being_forked(), now)
            return
        if not has_slept:
            self._change(now)
        self._templates.reconcile(self._succession.needed(), now)
        living = self._templates.generations.values()
        self._logs.keep_only(generation.settings for generation in living)
        self._staff.reconcile(now, canary=self._succession.canary)

    def _change(self, now: float) -> None:
        """One step towards another program, or another generation."""
        is_free = self._news.is_proven and not self._succession.is_busy
        self._upgrade.advance(now, self._signals, is_free=is_free)
        is_free = self._news.is_proven and not self._upgrade.is_going_on
        self._succession.advance(now, may_begin=is_free)

    def _descriptors(self, settings: Settings) -> tuple[Sequence[int], int | None]:
        """What a template inherits: what all of them share, and its access log."""
        shared = (self._scoreboard.descriptor, self._bell, self._lifeline.held)
        return shared, self._logs.access_descriptor(settings)

    # Signals

    def _hear_signals(self) -> None:
        for number in self._signals.read_signals():
            if number in ON_SIGNAL:
                self._log.info("received signal", signal=name_of(number))
                with self._backstop:  # each for itself: the next may be TERM
                    ON_SIGNAL[number](self)

    def _ask_for_upgrade(self) -> None:
        """USR2: it waits until a reload is through."""
        self._upgrade.ask()

    def _ask_for_reload(self) -> None:
        self._succession.ask()

    def _add_worker(self) -> None:
        self._staff.adjust(+1)

    def _remove_worker(self) -> None:
        self._staff.adjust(-1)

    def _dismiss_workers(self) -> None:
        self._staff.dismiss()

    def _reopen_logs(self) -> list[str]:
        return reopen(self._parts)

    def _stop_gracefully(self) -> None:
        self._upgrade.stop()
        self._succession.stop()
        self._stop.ask()

    def _order_drainer(self) -> None:
        if self._news.is_proven:
            self._staff.order_drainer()

    def _stop_quickly(self) -> None:
        self._upgrade.stop()
        self._succession.stop()
        self._stop.ask_quickly()

    # Being handed over to another program

    def _state(self) -> State:
        return {
            **self._parts.state(),
            "systemd_reporter": self._systemd_reporter.state(),
            "callers": self._control.state(),
        }

    def _restore(self, state: State) -> None:
        self._news.is_proven = True  # or there would have been no upgrade
        self._parts.restore(state)
        self._systemd_reporter.restore(state["systemd_reporter"])
        self._control.restore(state["callers"], self._verbs.go_on)


def _make_bell() -> int:
    return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)


ON_SIGNAL: dict[int, Callable[[Master], object]] = {
    signal.SIGTERM: Master._stop_gracefully,
    signal.SIGQUIT: Master._stop_gracefully,
    signal.SIGINT: Master._stop_quickly,
    signal.SIGHUP: Master._ask_for_reload,
    signal.SIGTTIN: Master._add_worker,
    signal.SIGTTOU: Master._remove_worker,
    signal.SIGUSR1: Master._reopen_logs,
    signal.SIGUSR2: Master._ask_for_upgrade,
    signal.SIGWINCH: Master._dismiss_workers,
}
