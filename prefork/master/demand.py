"""Demand: looks at the load four times a second; how many workers does it need?

Scaling decides; here is what it is told: the scoreboard, the kernel's queues and
the memory that is left.
"""

import os
from collections.abc import Sequence
from itertools import repeat
from pathlib import Path

from prefork.master.lookout import Lookout
from prefork.master.reactor import Reactor
from prefork.master.relief import keeps_waiting
from prefork.master.roster import FOREVER, STARTING, Roster
from prefork.master.scaling import Rules, Sample, Scaling
from prefork.master.states import State
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import Scoreboard
from prefork.system.cgroup import find_groups
from prefork.system.listen import Listener, queue_depth
from prefork.system.memory_limit import read_share

LOOK_EVERY = 0.25  # seconds
FULL = 0.9  # of the memory of our control group: no more workers
COMPLAIN_EVERY = 60.0  # seconds

REASONS = {
    "most": "connections wait, and this is the most that --workers allows",
    "memory": "the memory of the control group is nearly used up",
}


class Demand:
    """The load, and the number of workers `wanted` for it.

    follow() gives it the rules.  With a static scale, such as 4, it looks at nothing.
    With 0:MAX, while no worker is wanted, the lookout waits for a connection.
    """

    def __init__(
        self,
        roster: Roster,
        scoreboard: Scoreboard,
        reactor: Reactor,
        log: Log,
        *,
        cgroup: Path | None = None,
    ) -> None:
        self._roster = roster
        self._scoreboard = scoreboard
        self._lookout = Lookout(reactor)
        self._log = log
        self._rules = Rules()
        self._cgroups = [cgroup] if cgroup else find_groups()
        self._scaling = Scaling(self._rules, ceiling=max(8, 2 * (os.cpu_count() or 1)))
        self._serials: dict[int, int] = {}  # of the last sample, by slot
        self._has_queued = False  # in the last sample
        self._look_at = 0.0
        self._is_at_rest = False
        self._complain_at = 0.0

    @property
    def wanted(self) -> int:
        return self._scaling.wanted

    def follow(self, rules: Rules) -> None:
        self._rules = rules
        self._scaling.follow(rules)

    def resume(self, wanted: int) -> None:
        """Go on with so many: this program follows one that knew the load."""
        self._scaling.wanted = wanted

    def hold_off(self, now: float) -> None:
        """The generation changes, and its listeners may."""
        self._lookout.rest()
        self._scaling.hold_off(now)

    def next_look(self) -> float:
        waits = self._rules.scale.is_static or not self.wanted or self._is_at_rest
        return FOREVER if waits else self._look_at

    def look(self, listeners: Sequence[Listener], now: float) -> None:
        """Each turn of the loop; it is not always time."""
        self._is_at_rest = False
        before = self.wanted
        if not before:
            self._wait_for_caller(listeners, now)
        elif now >= self.next_look():
            self._look_at = now + LOOK_EVERY
            sample = self._take_sample(listeners, now)
            self._scaling.consider(sample, now)
            self._complain(now)
        if self.wanted != before:
            self._log.info("scaling", workers=self.wanted, were=before)

    def rest(self) -> None:
        """Until the next look() nobody is wanted, whoever calls."""
        self._is_at_rest = True
        self._lookout.rest()

    def _wait_for_caller(self, listeners: Sequence[Listener], now: float) -> None:
        self._lookout.watch(listeners)
        if self._lookout.was_called:
            self._lookout.rest()
            self._scaling.wake(_longest_queue(listeners), now)
            self._look_at = now + LOOK_EVERY

    def _take_sample(self, listeners: Sequence[Listener], now: float) -> Sample:
        members = self._roster.in_states(State.SERVING)
        tenants = [self._scoreboard.read(member.slot) for member in members]
        serials = {tenant.slot: tenant.serial for tenant in tenants}
        # Short requests fall between two samples, but they leave their numbers.
        has_served = any(
            serial != self._serials.get(slot, 0) for slot, serial in serials.items()
        )
        self._serials = serials
        busy = sum(tenant.is_busy for tenant in tenants)
        queue = _longest_queue(listeners)
        # Nobody sees what a kept program does; but when connections go on waiting all
        # of them must be busy.
        if queue and self._has_queued:
            busy += sum(tenant.is_keeper for tenant in tenants)
        self._has_queued = queue > 0
        return Sample(
            busy=busy,
            idle=len(members) - busy,
            starting=len(self._roster.in_states(*STARTING)),
            queue=queue,
            keeps_waiting=any(map(keeps_waiting, members, tenants, repeat(now))),
            has_served=has_served,
            has_memory=self._has_memory(),
        )

    def _has_memory(self) -> bool:
        share = read_share(self._cgroups)
        return share is None or share < FULL

    def _complain(self, now: float) -> None:
        reason = self._scaling.reason
        if reason and now >= self._complain_at:
            self._complain_at = now + COMPLAIN_EVERY
            self._log.warning(
                "cannot scale", workers=self.wanted, reason=REASONS[reason]
            )


def _longest_queue(listeners: Sequence[Listener]) -> int:
    return max((queue_depth(listener) or 0 for listener in listeners), default=0)
