"""Who runs where: the slots, their tenants, and what should be done about them.

The roster makes no system call and has no clock: it is told the time, and says
what to do.  Slots are numbered from 0; a new worker gets the lowest free one, so
that while a generation replaces another both have slots.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from prefork.master.states import TRANSITIONS, Action, Event, State

REGISTER_TIMEOUT = 10.0  # seconds from the order until the worker registers
ABORT_GRACE = 1.0  # seconds from ABRT, which dumps the stacks, to KILL
KILL_AGAIN = 5.0  # seconds: a process in an uninterruptible sleep may need more
PROVEN_SECONDS = 10.0
PROVEN_REQUESTS = 10

STARTING = (State.ORDERED, State.BOOTING, State.SETTLING)
FOREVER = float("inf")


@dataclass(slots=True)
class Member:
    """One worker; `deadline` (monotonic seconds) is that of its state."""

    slot: int
    generation: int
    ordered_at: float
    deadline: float
    boot_timeout: float
    graceful_timeout: float
    slow: float = 0.0  # seconds until a request's stacks are logged; 0: never
    explained: int = 0  # serial of the request whose stacks were logged last
    explain_at: float = 0.0  # monotonic; no stacks are logged before
    relieved: int = 0  # serial of the request during which its clients were moved
    given_at: float = 0.0  # when it was last given clients; 0: it has taken them in
    doors: list[str] = field(default_factory=list)  # names of its listeners
    pid: int = 0  # 0: not known yet
    state: State = State.ORDERED
    since: float = 0.0  # when it came to this state
    ready_at: float = 0.0  # 0: never was
    is_open: bool = False  # to clients: a canary has yet to prove itself
    wants_replacement: bool = False
    was_chosen: bool = False  # to become a template: nobody is asked twice
    killed_because: str = ""
    refusal: str = ""  # of the system, to fork it

    @property
    def name(self) -> dict[str, object]:
        """What the log calls it; one that was never forked has no pid."""
        pid = {"pid": self.pid} if self.pid else {}
        return {"worker": self.slot, **pid, "generation": self.generation}

    def is_proven(self, *, requests: int, now: float) -> bool:
        """Has it served well enough not to be blamed for how it was born?"""
        is_old = bool(self.ready_at) and now - self.ready_at >= PROVEN_SECONDS
        return is_old or requests >= PROVEN_REQUESTS


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do next: how many workers to order, and which to retire."""

    orders: int = 0
    retire: list[Member] = field(default_factory=list)


class Roster:
    """All workers of all generations."""

    def __init__(self, *, slots: int) -> None:
        self.members: dict[int, Member] = {}
        self._slots = slots

    def order(
        self,
        generation: int,
        now: float,
        *,
        boot_timeout: float,
        graceful_timeout: float,
        slow: float = 0.0,
    ) -> Member | None:
        """A new member in the lowest free slot; None when all are taken."""
        free = (slot for slot in range(self._slots) if slot not in self.members)
        slot = next(free, None)
        if slot is None:
            return None
        member = Member(
            slot,
            generation,
            now,
            now + REGISTER_TIMEOUT,
            boot_timeout,
            graceful_timeout,
            slow,
        )
        self.members[slot] = member
        return member

    def apply(self, member: Member, event: Event, now: float) -> Action:
        """Move a member along its life; returns what the master must do for it."""
        state, action = TRANSITIONS[member.state][event]
        if state is not member.state or event is Event.OVERDUE:
            member.deadline = now + _patience(member, state)
        if state is State.SERVING:
            member.ready_at = now
        if state is not member.state:
            member.since = now
        member.state = state
        if state is State.GONE:
            del self.members[member.slot]
        return action

    def overdue(self, now: float) -> list[Member]:
        return [m for m in self.members.values() if m.deadline <= now]

    def next_deadline(self) -> float:
        return min((m.deadline for m in self.members.values()), default=FOREVER)

    def by_pid(self, pid: int) -> Member | None:
        return next((m for m in self.members.values() if m.pid == pid), None)

    def in_states(self, *states: State) -> list[Member]:
        return [m for m in self.members.values() if m.state in states]

    def plan(
        self,
        target: int,
        wanted: int,
        *,
        surge: int = 1,
        at_once: int = 1024,
        ignore: int = 0,
        is_busy: Callable[[int], bool] = lambda slot: False,
    ) -> Plan:
        """One step towards `wanted` workers of generation `target`, and no others.

        `surge` limits how many of them may boot beside old ones, `at_once` in any
        case.  Old ones leave one for one as new ones serve: never fewer than
        `wanted`, the idle ones first (`is_busy(slot)`).  Workers of generation
        `ignore` (a canary) are left alone.
        """
        starting = self._of(target, *STARTING)
        serving = self.serving(target)
        others = [
            m for m in self.members.values() if m.generation not in (target, ignore)
        ]
        old = [m for m in others if m.state is State.SERVING]
        unborn = [m for m in others if m.state in STARTING]
        spare = any(m.wants_replacement for m in serving) and wanted > 0
        missing = wanted + spare - len(starting) - len(serving)
        limit = min(at_once, surge) if old else at_once
        orders = max(0, min(missing, limit - len(starting)))
        surplus = len(serving) + len(old) - wanted
        if surplus <= 0:
            return Plan(orders, unborn)
        leavers = _oldest(old, is_busy) if old else _least_wanted(serving, is_busy)
        return Plan(orders, unborn + leavers[:surplus])

    def of(self, generation: int) -> list[Member]:
        return [m for m in self.members.values() if m.generation == generation]

    def serving(self, generation: int) -> list[Member]:
        return self._of(generation, State.SERVING)

    def others(self, generation: int) -> list[Member]:
        """Those who serve and are of another one."""
        serving = self.in_states(State.SERVING)
        return [member for member in serving if member.generation != generation]

    def _of(self, generation: int, *states: State) -> list[Member]:
        return [m for m in self.in_states(*states) if m.generation == generation]


def _patience(member: Member, state: State) -> float:
    """Seconds that a member may spend in a state."""
    return {
        State.BOOTING: member.boot_timeout,
        State.SETTLING: member.boot_timeout,
        State.RETIRING: member.graceful_timeout,
        State.ABORTED: ABORT_GRACE,
        State.KILLED: KILL_AGAIN,
    }.get(state, FOREVER)


def _oldest(members: Iterable[Member], is_busy: Callable[[int], bool]) -> list[Member]:
    """Those who are idle, the oldest first; then the others likewise."""
    return sorted(members, key=lambda m: (is_busy(m.slot), m.ordered_at))


def _least_wanted(
    members: Iterable[Member], is_busy: Callable[[int], bool]
) -> list[Member]:
    """Those who asked for a replacement, then the idle ones, then the youngest."""
    return sorted(
        members,
        key=lambda m: (not m.wants_replacement, is_busy(m.slot), -m.ordered_at),
    )
