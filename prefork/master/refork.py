"""Refork: a worker that has served for a while becomes the next template.

What requests have brought into its memory, imported, compiled and cached, all
workers share from then on, instead of each having it for itself.  Which worker,
and when, is decided here; all that follows is a reload without new code.
"""

import time
from collections.abc import Callable, Iterable

from prefork.master.cause import REFORK, Cause
from prefork.master.crew import Crew
from prefork.master.generation import Generation, Stage
from prefork.master.reload import Phase, Reload
from prefork.master.roster import Member
from prefork.master.states import State
from prefork.master.templates import Templates

PAUSE = 60.0  # seconds after a worker that could not, until another is asked


class Reforks:
    """Begins them, one after the other, as far as the settings say."""

    def __init__(self, crew: Crew, templates: Templates) -> None:
        self._crew = crew
        self._templates = templates
        self._not_before = 0.0  # monotonic

    def consider(
        self, origin: Generation, now: float, make_reload: Callable[[Cause], Reload]
    ) -> Reload | None:
        """A refork that has begun; None if it is not time for one."""
        is_due = origin.refork_after and now >= self._not_before
        if not is_due or origin.stage is not Stage.READY:
            return None
        members, served = self._crew.roster.of(origin.number), self._crew.served
        member = find_warmed(members, served, after=origin.refork_after[0])
        return self._begin(origin, member, now, make_reload) if member else None

    def _begin(
        self,
        origin: Generation,
        member: Member,
        now: float,
        make_reload: Callable[[Cause], Reload],
    ) -> Reload | None:
        candidate = self._templates.create(origin.settings, origin.listeners)
        candidate.preload = origin.preload
        candidate.refork_after = origin.refork_after[1:]
        try:
            theirs = self._templates.promise(candidate, now)
        except OSError:  # no descriptors are left: they may come back
            self._not_before = now + PAUSE
            return None
        reload = make_reload(REFORK)
        served = self._crew.served(member.slot)
        reload.begin_with(candidate, worker=member.slot, requests=served)
        self._crew.promote(member, candidate.number, theirs)
        theirs.close()
        return reload

    def end(self, reload: Reload, target: Generation) -> None:
        """After a failure in BOOT another worker is asked, in a while.

        One that comes later is due to what the worker has in its memory: then there
        are no more reforks until a reload.
        """
        if reload.failed_in is Phase.BOOT:
            self._not_before = time.monotonic() + PAUSE
        elif reload.failed_in is not None:
            target.refork_after = ()


def find_warmed(
    members: Iterable[Member], served: Callable[[int], int], *, after: int
) -> Member | None:
    """Who has served `after` requests, and most of all; None if nobody has."""
    candidates = [
        member
        for member in members
        if member.state is State.SERVING
        and not (member.was_chosen or member.wants_replacement)
        and served(member.slot) >= after
    ]
    return max(candidates, key=lambda member: served(member.slot), default=None)
