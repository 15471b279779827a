"""Staffing: as many workers as are wanted, and of the right generation."""

import time
from typing import Any

from prefork.master.crew import Crew
from prefork.master.demand import Demand
from prefork.master.generation import Generation, Stage
from prefork.master.roster import Roster
from prefork.master.scaling import Rules
from prefork.master.states import State
from prefork.master.templates import Templates
from prefork.monitor.log import Log
from prefork.settings.scale import MOST_WORKERS, Scale, parse_scale

# A template forks one after the other, and its channel holds some 280 orders: of
# 512 at once those at the end were lost, or not registered in time.
BOOTING_AT_ONCE = 32


class Staff:
    """Knows what should run, and takes the next step towards it."""

    def __init__(
        self,
        roster: Roster,
        crew: Crew,
        templates: Templates,
        log: Log,
        *,
        demand: Demand,
        target: Generation,
    ) -> None:
        self._roster = roster
        self._crew = crew
        self._templates = templates
        self._log = log
        self._demand = demand
        # What all workers should be of; during a reload the old one, until ROLL.
        self.target = target
        self.previous: Generation | None = None  # what a rollback returns to
        self._adjustment = 0  # by TTIN and TTOU; outlives reloads
        self._ordered: Scale | None = None  # instead of the settings'; as long
        self._is_dismissed = False  # by WINCH: no workers until HUP or TTIN
        self.was_complete = False  # all have served at once, some time
        self._follow_scale()

    @property
    def wanted(self) -> int:
        """How many workers there should be."""
        return 0 if self._is_dismissed else self._demand.wanted

    @property
    def scale(self) -> Scale:
        """How many there may be."""
        given = self._given
        return given.moved(self._adjustment).nearest(min(1, given.least))

    @property
    def _given(self) -> Scale:
        return self._ordered or self.target.settings.workers

    def reconcile(self, now: float, *, canary: Generation | None) -> None:
        """Order the workers that are missing, retire those that are too many.

        A reload's candidate has one worker beside all others, its canary.
        """
        target = self.target
        self._forget_failures(target, now)
        self._look_at_demand(now)
        plan = self._roster.plan(
            target.number,
            self.wanted,
            surge=max(1, self.wanted // 8),
            at_once=self._at_once(target, now),
            ignore=canary.number if canary else 0,
            is_busy=self._crew.is_busy,
        )
        self._order(target, plan.orders, now)
        self._crew.retire(plan.retire)
        if canary and self._at_once(canary, now) and not self._roster.of(canary.number):
            self._order(canary, 1, now)
        self._announce_completion()

    def _forget_failures(self, generation: Generation, now: float) -> None:
        if generation.backoff.failures:
            for member in self._crew.proven(generation.number, now):
                generation.backoff.succeeded(member.ordered_at)

    def _look_at_demand(self, now: float) -> None:
        if self._is_dismissed:
            self._demand.rest()
        else:
            self._demand.look(self.target.listeners, now)

    def rest(self) -> None:
        """At a stop nobody else is wanted."""
        self._demand.rest()

    def next_look(self) -> float:
        return self._demand.next_look()

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

    def order_drainer(self) -> None:
        """At a stop with nobody to answer those who are queued: one more worker."""
        if self.target.stage is Stage.READY:
            self._order(self.target, 1, time.monotonic())
        for member in self._roster.in_states(State.ORDERED):  # a stop has an end
            member.boot_timeout = min(member.boot_timeout, member.graceful_timeout)

    def being_forked(self) -> list[Generation]:
        """What a stop has to leave alive: the template that was asked for a drainer."""
        ordered = self._roster.in_states(State.ORDERED)
        return [self.target] if ordered else []

    def _announce_completion(self) -> None:
        if self.was_complete or self._is_dismissed:
            return
        if self.is_complete():
            self.was_complete = True
            self._log.info("ready", workers=self.wanted, generation=self.target.number)

    # Changing how many

    def adjust(self, step: int) -> bool:
        """TTIN, TTOU: so many more, or less, at least and at most; False: refused."""
        scale = self.scale.moved(step)
        if scale != scale.nearest(min(1, self._given.least)):
            self._log.warning("cannot scale", workers=str(scale), most=MOST_WORKERS)
            return False
        self._adjustment = scale.most - self._given.most
        self._rescale()
        return True

    def scale_to(self, scale: Scale) -> None:
        """Instead of what the settings say."""
        self._ordered, self._adjustment = scale, 0
        self._rescale()

    def _rescale(self) -> None:
        self._is_dismissed = False
        self._follow_scale()
        self._log.info("scaling", workers=str(self.scale))

    def _follow_scale(self) -> None:
        settings = self.target.settings
        self._demand.follow(
            Rules(self.scale, settings.spare_workers, settings.idle_timeout)
        )

    def dismiss(self) -> None:
        """WINCH: retire them all; HUP or TTIN brings them back."""
        self._is_dismissed = True
        self._log.info("retiring all workers")

    def recall(self) -> None:
        self._is_dismissed = False

    # Changing the generation

    def take_over(self, candidate: Generation) -> None:
        """From now on all workers should be of the candidate."""
        self.previous, self.target = self.target, candidate
        self._change_generation()

    def go_back(self) -> None:
        """They should be what they were."""
        if self.previous is not None:
            self.return_to(self.previous)
            self.previous = None

    def return_to(self, kept: Generation) -> None:
        """From now on all workers should be of a generation that was left."""
        self.target = kept
        self._change_generation()

    def _change_generation(self) -> None:
        # Before listeners are closed that the lookout may watch.
        self._demand.hold_off(time.monotonic())
        self._follow_scale()

    def settle(self) -> Generation | None:
        """They all are; returns what they were before."""
        previous, self.previous = self.previous, None
        return previous

    def is_complete(self) -> bool:
        """Do as many of the target serve as are wanted?"""
        return len(self._roster.serving(self.target.number)) >= self.wanted

    def has_rolled(self) -> bool:
        """And is there none of another generation?"""
        return self.is_complete() and not self._roster.others(self.target.number)

    def retire_others(self) -> None:
        """Whoever is of another generation is not needed any more."""
        self._crew.retire(self._roster.others(self.target.number))

    # Being handed over to another program

    def state(self) -> dict[str, Any]:
        """Between two reloads: there is no previous generation."""
        return {
            "target": self.target.number,
            "wanted": self._demand.wanted,
            "ordered": str(self._ordered) if self._ordered else "",
            "adjustment": self._adjustment,
            "is_dismissed": self._is_dismissed,
            "was_complete": self.was_complete,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.target = self._templates.generations[state["target"]]
        self._demand.resume(state["wanted"])
        self._ordered = parse_scale(state["ordered"]) if state["ordered"] else None
        self._adjustment = state["adjustment"]
        self._is_dismissed = state["is_dismissed"]
        self.was_complete = state["was_complete"]
        self._follow_scale()
