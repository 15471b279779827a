"""What the log says of a worker that took too long: which limit it was."""

import pytest

from prefork.master.deadlines import Deadlines
from prefork.master.roster import Member, Roster
from prefork.master.states import State
from prefork.monitor.log import Log
from prefork.monitor.outlet import Outlet
from prefork.monitor.scoreboard import SLOTS, Scoreboard

NOW = 100.0


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (State.ORDERED, "did not register in time"),
        (State.BOOTING, "over its boot timeout"),
        (State.SETTLING, "over its boot timeout"),
        (State.RETIRING, "over its graceful timeout"),
    ],
)
def test_whoever_is_overdue_is_ended_and_told_why(state: State, reason: str) -> None:
    roster = Roster(slots=SLOTS)
    member = roster.order(1, NOW, boot_timeout=5.0, graceful_timeout=5.0)
    assert member is not None
    member.state, member.deadline = state, NOW
    ended: list[Member] = []
    deadlines = Deadlines(
        roster,
        Scoreboard(),
        Log(Outlet(2)),
        end=ended.append,
        dump=lambda member: None,
    )
    deadlines.check(NOW)
    assert ended == [member]
    assert member.killed_because == reason
