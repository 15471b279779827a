"""Tells systemd how the master is, by what it sees at each turn.

    STARTING ─► READY ◄─► RELOADING          and from each of them to STOPPING

It looks at the state and tells what has not been told yet (sd_notify(3)); so what
could not be sent is sent at the next turn, and nobody else has to think of it.  The
watchdog hears of us in a turn of the loop, and nowhere else.
"""

import time
from enum import Enum
from typing import Any

from prefork.master.cause import RELOAD
from prefork.master.handover import VERSION
from prefork.master.headline import Headline
from prefork.master.parts import Parts
from prefork.master.roster import FOREVER, STARTING
from prefork.master.states import State
from prefork.system import store
from prefork.system.notify import Notifier

STATUS_EVERY = 10.0  # seconds
SOON = 0.05  # seconds until the next look at what is about to change
EXTEND_EVERY = 5.0  # seconds
EXTENSION = 20_000_000  # microseconds that systemd waits on; we have our own limits
HEARS_WITHIN = 1.0  # seconds: an idle worker that was told to retire has heard it


class Phase(Enum):
    STARTING = "starting"
    READY = "ready"
    RELOADING = "reloading"
    STOPPING = "stopping"


class SystemdReporter:
    """What systemd was told so far, and what it is to be told next."""

    def __init__(self, parts: Parts, notifier: Notifier | None) -> None:
        self._parts = parts
        self._notifier = notifier
        self._headline = Headline(parts, time.monotonic())
        self._told = Phase.STARTING
        self._situation: tuple[str, int] | None = None  # as of the last STATUS
        self._stored: set[str] = set()  # names
        self._status_at = self._watchdog_at = self._extend_at = 0.0
        self.due = 0.0 if notifier else FOREVER  # monotonic; of the next turn()

    def turn(self, now: float) -> None:
        """Tell what has changed, or is due."""
        if self._notifier is None:
            return
        if self._notifier.watchdog and now >= self._watchdog_at:
            is_heard = self._notifier.send("WATCHDOG=1")
            self._watchdog_at = now + (
                self._notifier.watchdog / 2 if is_heard else SOON
            )
        phase = self._find_phase(now)
        self._store(self._notifier, phase)
        if phase is not self._told:
            self._tell(self._notifier, phase)
        self._extend(self._notifier, phase, now)
        self._tell_status(self._notifier, now)
        self.due = self._find_due(phase, now)

    def _find_due(self, phase: Phase, now: float) -> float:
        assert self._notifier is not None
        due = [self._status_at]
        if self._notifier.watchdog:
            due.append(self._watchdog_at)
        if phase is not Phase.READY:
            due.append(self._extend_at)
        if phase is not self._told or self._is_settling(now):
            due.append(now + SOON)
        return min(due)

    # What is so

    def _find_phase(self, now: float) -> Phase:
        parts = self._parts
        reload = parts.succession.reload
        if parts.stop.is_going_on:
            return Phase.STOPPING
        if self._told is Phase.STARTING and not self._is_complete():
            return Phase.STARTING
        if reload is not None and reload.cause is RELOAD:
            return Phase.RELOADING
        if self._told is Phase.RELOADING and self._is_settling(now):
            return Phase.RELOADING
        return Phase.READY

    def _is_complete(self) -> bool:
        """Do all serve?  When one cannot be forked, or crashes, some are enough."""
        staff = self._parts.staff
        serves = bool(self._parts.crew.roster.in_states(State.SERVING))
        return staff.was_complete or (serves and staff.target.backoff.failures > 0)

    def _is_settling(self, now: float) -> bool:
        """May a worker of another generation still accept a connection?

        An idle one may, until it has read that it is to retire; a busy one reads
        that before it accepts.
        """
        crew, target = self._parts.crew, self._parts.staff.target.number
        return any(
            member.generation != target
            and now - member.since < HEARS_WITHIN
            and not crew.is_busy(member.slot)
            for member in crew.roster.in_states(State.SERVING, State.RETIRING)
        )

    # What is told

    def _tell(self, notifier: Notifier, phase: Phase) -> None:
        match phase:
            case Phase.RELOADING:
                # Taken now: Type=notify-reload wants it to be after its signal.
                usec = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
                lines = ["RELOADING=1", f"MONOTONIC_USEC={usec}"]
            case Phase.STOPPING:
                lines = ["STOPPING=1"]
            case _:
                lines = ["READY=1"]
        if notifier.send(*lines):
            self._told = phase

    def _extend(self, notifier: Notifier, phase: Phase, now: float) -> None:
        """Ask for time while something goes on that has a limit of its own here."""
        if phase is not Phase.READY and now >= self._extend_at:
            is_heard = notifier.send(f"EXTEND_TIMEOUT_USEC={EXTENSION}")
            self._extend_at = now + (EXTEND_EVERY if is_heard else SOON)
        elif phase is Phase.READY:
            self._extend_at = 0.0

    def _tell_status(self, notifier: Notifier, now: float) -> None:
        roster = self._parts.crew.roster
        workers = len(roster.members) - len(roster.in_states(*STARTING))
        situation = self._headline.read_activity(), workers
        if now >= self._status_at or situation != self._situation:
            self._situation, self._status_at = situation, now + STATUS_EVERY
            notifier.send(f"STATUS={self._headline.read(now)}")

    def _store(self, notifier: Notifier, phase: Phase) -> None:
        """Have systemd keep what our successor needs, should we crash.

        Not those of socket units, which it has anyway.  And nothing beyond a stop:
        then we close the doors of these sockets ourselves.
        """
        wanted = {} if phase is Phase.STOPPING else self._find_kept()
        for name, descriptor in wanted.items():  # first: we may die in between
            if name not in self._stored and store.keep(notifier, name, descriptor):
                self._stored.add(name)
        for name in self._stored - wanted.keys():
            if store.forget(notifier, name):
                self._stored.remove(name)

    def _find_kept(self) -> dict[str, int]:
        """The descriptors that systemd shall keep, by the names it has for them."""
        parts = self._parts
        mine = (each for each in parts.listeners.open if not each.is_inherited)
        listeners = (each.socket.fileno() for each in mine)
        scoreboard = store.SCOREBOARD.format(VERSION)
        return {
            **{store.name_of(listener): listener for listener in listeners},
            scoreboard: parts.scoreboard.descriptor,
        }

    # Being handed over to another program

    def state(self) -> dict[str, Any] | None:
        if self._notifier is None:
            return None
        return {
            "address": self._notifier.address,
            "watchdog": self._notifier.watchdog,
            "told": self._told.value,
            "stored": sorted(self._stored),
        }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Go on where the program before us was."""
        if state is not None:
            self._told = Phase(state["told"])
            self._stored = set(state["stored"])
