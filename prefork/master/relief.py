"""Relief: who serves for long, or retires, gives clients to siblings.

The worker's side is in prefork/worker/relief.py.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from prefork.master.roster import Member, Roster
from prefork.master.states import State
from prefork.monitor.scoreboard import SECOND, Scoreboard, Tenant
from prefork.system.channel import Message
from prefork.system.signals import RELIEVE

LONG = 0.2  # seconds that a request may take before others stop waiting for it

# Its descriptor, and what goes with that; the name of its door comes first.
GivenClient = tuple[int, Sequence[Any]]


@dataclass(slots=True)
class Home:
    """A worker that could take clients in; the one of least weight is the best."""

    member: Member
    burdens: tuple[bool, ...]  # the worst first
    load: int  # clients that it has

    @property
    def weight(self) -> tuple[tuple[bool, ...], int]:
        return self.burdens, self.load


def keeps_waiting(member: Member, tenant: Tenant, now: float) -> bool:
    """Is somebody in its lobby, or in its channel, behind a request that takes long?

    They may be silent: that is not seen from here.
    """
    if not tenant.is_busy or now - tenant.started / SECOND < LONG:
        return False
    is_new = tenant.lobby > 0 and member.relieved != tenant.serial
    return is_new or member.given_at > 0


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
            if keeps_waiting(member, tenant, now):
                member.relieved, member.given_at = tenant.serial, 0.0
                os.kill(member.pid, RELIEVE)
            elif not tenant.is_busy and now - member.given_at >= LONG:
                member.given_at = 0.0  # by now it has taken them in

    def doors_without(self, leavers: Iterable[Member]) -> list[str]:
        """The doors behind which somebody serves on when these have left."""
        gone = {member.slot for member in leavers}
        stay = [m for m in self._open(State.SERVING) if m.slot not in gone]
        return list({door: None for member in stay for door in member.doors})

    def pass_on(self, sender: Member, message: Message, now: float) -> None:
        """Share the clients of `message` out; its descriptors are closed here then.

        Clients are lost whose descriptor we had no room for, and those who came by a
        door that nobody has any more.
        """
        rows = zip(message.descriptors, message.fields["clients"], strict=False)
        clients = [(fd, row) for fd, row in rows if row and isinstance(row, list)]
        self._share_out(clients, self._homes(sender), now)
        self._send(sender, "passed on")
        for fd in message.descriptors:
            os.close(fd)

    def _share_out(
        self, clients: Sequence[GivenClient], homes: Sequence[Home], now: float
    ) -> None:
        """Give each client to the best home that has its door.

        If one of these cannot be told, having just died, its share goes to the others.
        """
        shares: dict[int, list[GivenClient]] = {}
        for client in clients:
            _, (door, *_) = client
            fit = [n for n, home in enumerate(homes) if door in home.member.doors]
            if fit:
                best = min(fit, key=lambda n: homes[n].weight)
                homes[best].load += 1
                shares.setdefault(best, []).append(client)
        for n, share in shares.items():
            if not self._give(homes[n].member, share, now):
                others = [home for home in homes if home is not homes[n]]
                self._share_out(share, others, now)

    def _give(self, home: Member, share: Sequence[GivenClient], now: float) -> bool:
        descriptors, clients = zip(*share, strict=True)
        home.given_at = now
        return self._send(home, "take in", descriptors=descriptors, clients=clients)

    def _homes(self, sender: Member) -> list[Home]:
        """All who could take clients in, each with what speaks against it.

        Retiring ones are the last choice, then the sender itself, then the busy.
        """
        homes, is_leaving = [], sender.state is not State.SERVING
        for member in self._open(State.SERVING, State.RETIRING):
            tenant = self._scoreboard.read(member.slot)
            burdens = (
                member.state is State.RETIRING,
                member is sender,
                tenant.is_busy,
                # It will have to leave as well, if a reload is why the sender does.
                is_leaving and member.generation == sender.generation,
            )
            homes.append(Home(member, burdens, tenant.lobby))
        return homes

    def _open(self, *states: State) -> list[Member]:
        """Not a canary: no client is to meet what is only being tried."""
        return [m for m in self._roster.in_states(*states) if m.is_open]
