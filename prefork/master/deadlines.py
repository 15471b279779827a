"""Deadlines: of booting and retiring, and of each request."""

import time
from collections.abc import Callable

from prefork.master.roster import Member, Roster
from prefork.master.states import State
from prefork.master.worker_exit import OVERDUE_REQUEST, TOO_LATE
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import SECOND, Scoreboard, Tenant

SLOW_PAUSE = 10.0  # seconds between two explanations of one worker's slow requests


class Deadlines:
    """Looks, once a turn, for what has taken too long.

    `end(member)` is the next step against a worker; `dump(member)` has it write its
    stacks.
    """

    def __init__(
        self,
        roster: Roster,
        scoreboard: Scoreboard,
        log: Log,
        *,
        end: Callable[[Member], None],
        dump: Callable[[Member], None],
    ) -> None:
        self._roster = roster
        self._scoreboard = scoreboard
        self._log = log
        self._end = end
        self._dump = dump

    def check(self, now: float) -> None:
        for member in self._roster.overdue(now):
            member.killed_because = member.killed_because or _overdue_reason(member)
            self._end(member)
        for member in self._roster.in_states(State.SERVING, State.RETIRING):
            self._check_request(member, int(now * SECOND))

    def _check_request(self, member: Member, now: int) -> None:
        tenant = self._scoreboard.read(member.slot)
        if not tenant.is_busy:
            return
        if 0 < member.slow <= (now - tenant.started) / SECOND:
            self._explain_slow(member, tenant)
        if not 0 < tenant.deadline <= now:
            return
        # The worker may have finished since.  It looks whether it was condemned
        # before it takes another request, so the signal cannot hit a wrong one.
        if self._scoreboard.condemn(member.slot, tenant.serial):
            seconds = (tenant.deadline - tenant.started) / SECOND
            member.killed_because = f"{OVERDUE_REQUEST} {seconds:g} s deadline"
            self._end(member)

    def _explain_slow(self, member: Member, tenant: Tenant) -> None:
        """Have a slow request's stacks written to the log: once, and not too often."""
        if tenant.serial == member.explained or time.monotonic() < member.explain_at:
            return
        member.explained = tenant.serial
        member.explain_at = time.monotonic() + SLOW_PAUSE
        self._log.warning(
            "slow request",
            **member.name,
            over=f"{member.slow:g} s",
            **tenant.serving,
        )
        self._dump(member)


def _overdue_reason(member: Member) -> str:
    return {
        State.ORDERED: "did not register in time",
        State.BOOTING: "over its boot timeout",
        State.SETTLING: "over its boot timeout",
        State.RETIRING: TOO_LATE,
    }.get(member.state, "did not die of SIGABRT")
