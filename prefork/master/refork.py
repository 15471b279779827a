"""Refork: a worker that has served for a while becomes the next template.

What requests have brought into its memory, imported, compiled and cached, all
workers share from then on, instead of each having it for itself.  Which worker,
and when, is decided here; all that follows is a reload without new code.
"""

from collections.abc import Callable, Iterable

from prefork.master.roster import Member
from prefork.master.states import State

PAUSE = 60.0  # seconds after a worker that could not, until another is asked


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
