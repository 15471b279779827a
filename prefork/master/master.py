"""The master: one loop that compares what runs with what should, and acts.

It never reads a request, imports no application, and nothing in it waits except
the loop.  Signals, messages, timers and exits are handled one at a time; stop
and reload are states of this loop.
"""

import os
import signal
import time
from collections.abc import Callable

from setproctitle import setproctitle

from prefork.master.announcement import announce
from prefork.master.assembly import Assembly
from prefork.master.parts import Parts
from prefork.master.roster import FOREVER
from prefork.master.sharing import reopen
from prefork.system.processes import become_subreaper, reap
from prefork.system.signals import SignalPipe, name_of, unblock_all

LONGEST_TURN = 1.0  # seconds between two looks at the requests' deadlines
RELOAD_TURN = 0.25
SUSPENDED = 2.0  # seconds late: we were stopped, or the machine slept

ON_SIGNAL: dict[int, Callable[[Parts], object]] = {
    signal.SIGTERM: Parts.stop_gracefully,
    signal.SIGQUIT: Parts.stop_gracefully,
    signal.SIGINT: Parts.stop_quickly,
    signal.SIGHUP: lambda parts: parts.succession.ask(),
    signal.SIGTTIN: lambda parts: parts.staff.adjust(+1),
    signal.SIGTTOU: lambda parts: parts.staff.adjust(-1),
    signal.SIGUSR1: reopen,
    signal.SIGUSR2: lambda parts: parts.upgrade.ask(),  # waits for a reload
    signal.SIGWINCH: lambda parts: parts.staff.dismiss(),
}


class Master:
    """Runs one server until it is told to stop."""

    def __init__(self, assembly: Assembly) -> None:
        self._parts = parts = assembly.parts
        self._log = parts.logs.log
        self._backstop = parts.backstop
        self._reactor = parts.reactor
        self._crew = parts.crew
        self._templates = parts.templates
        self._staff = parts.staff
        self._succession = parts.succession
        self._upgrade = parts.upgrade
        self._stop = parts.stop
        self._news = assembly.news
        self._systemd_reporter = assembly.systemd_reporter
        self._control = assembly.control
        self._handover = assembly.handover
        self._turned_at = time.monotonic()
        self._exits: list[tuple[int, int]] = []  # not told to all yet: _reap()

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
        for listener in self._parts.listeners.open:
            announce(listener, self._log)

    def _is_finished(self) -> bool:
        is_alone = not self._crew.roster.members and self._templates.are_gone()
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
            self._crew.roster.next_deadline(),
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
        self._parts.logs.keep_only(generation.settings for generation in living)
        self._staff.reconcile(now, canary=self._succession.canary)

    def _change(self, now: float) -> None:
        """One step towards another program, or another generation."""
        is_free = self._news.is_proven and not self._succession.is_busy
        self._upgrade.advance(now, self._signals, is_free=is_free)
        is_free = self._news.is_proven and not self._upgrade.is_going_on
        self._succession.advance(now, may_begin=is_free)

    # Signals

    def _hear_signals(self) -> None:
        for number in self._signals.read_signals():
            if number in ON_SIGNAL:
                self._log.info("received signal", signal=name_of(number))
                with self._backstop:  # each for itself: the next may be TERM
                    ON_SIGNAL[number](self._parts)
