"""Relief: who serves for long gives other clients to idle siblings.

The worker's side is in prefork/worker/relief.py.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from prefork.master.roster import Member, Roster
from prefork.master.states import State
from prefork.monitor.scoreboard import Scoreboard, Tenant
from prefork.system.channel import Message
from prefork.system.signals import RELIEVE

LONG = 0.2  # seconds that a request may take before others stop waiting for it
SECOND = 1_000_000_000


class Relief:
    """Looks, once a turn, for clients who wait beside idle workers.

    `send(member, kind, **content)` says something to a worker; False if it is gone.
    """

    def __init__(
        self, roster: Roster, scoreboard: Scoreboard, send: Callable[..., bool]
    ) -> None:
        self._roster = roster
        self._scoreboard = scoreboard
        self._send = send

    def look(self, now: float) -> None:
        """Have the busy ones give away whom they keep waiting, once a request."""
        members = self._open(State.SERVING, State.RETIRING)
        tenants = {
            member.slot: self._scoreboard.read(member.slot) for member in members
        }
        if all(tenant.is_busy for tenant in tenants.values()):
            return
        for member in members:
            tenant = tenants[member.slot]
            if self._is_stuck(tenant, now) and member.relieved != tenant.serial:
                member.relieved = tenant.serial
                os.kill(member.pid, RELIEVE)

    @staticmethod
    def _is_stuck(tenant: Tenant, now: float) -> bool:
        lasts = now - tenant.started / SECOND
        return tenant.is_busy and lasts >= LONG and tenant.lobby > 0

    def pass_on(self, sender: Member, message: Message) -> None:
        """Share them out among those who have time; the descriptors are copies.

        If there was no room here for all of these, some clients are lost.
        """
        clients = list(
            zip(message.descriptors, message.fields["clients"], strict=False)
        )
        homes = self._homes(sender)
        for n, home in enumerate(homes):
            if share := clients[n :: len(homes)]:
                self._place(share, [home, *homes, sender])
        for fd in message.descriptors:
            os.close(fd)

    def _place(self, share: Sequence[tuple[int, Any]], homes: Iterable[Member]) -> None:
        """With the first who can be told: one may have died just now."""
        descriptors, clients = zip(*share, strict=True)
        for home in homes:
            if self._send(home, "take in", descriptors=descriptors, clients=clients):
                return

    def _homes(self, sender: Member) -> list[Member]:
        """Idle workers; else any other; else who had them."""
        serving = self._open(State.SERVING)
        others = [member for member in serving if member is not sender]
        idle = [m for m in others if not self._scoreboard.read(m.slot).is_busy]
        return idle or others or [sender]

    def _open(self, *states: State) -> list[Member]:
        """Not a canary: no client is to meet what is only being tried."""
        return [m for m in self._roster.in_states(*states) if m.is_open]
