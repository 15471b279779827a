"""Scaling: how many workers there should be, from samples of what they do.

    more    too few are idle or starting; or nobody was idle in two samples while
            connections queued, or sat in the lobby of one who is busy for long.
            1 in the first second, then 2, 4, 8 …
    less    for the idle timeout never so many were busy at once, and none was
            added: one leaves, and a twelfth of that time later another
    as is   there is no memory for more

It has no clock: it is told the time, in monotonic seconds.  Workers that start, or
are ordered, count as idle, or each would be ordered again until it is there.
"""

from collections import deque
from dataclasses import dataclass
from math import ceil, inf

from prefork.settings.scale import Scale

RAMP_STEP = 1.0  # seconds until twice as many may come
HOLD_OFF = 10.0  # seconds after a reload: whoever is slow at first is no load
STEPS = 12  # in an idle timeout: so many may leave
LONGEST = 15  # idle timeouts: the longest wait of whoever is missed each time
FORGIVEN = 60  # idle timeouts after which that wait is halved


@dataclass(frozen=True, slots=True)
class Rules:
    """What the settings say; `spare` None is a tenth of the workers."""

    scale: Scale = Scale(1, 1)  # noqa: RUF009
    spare: int | None = None
    idle_timeout: float = 60.0


@dataclass(frozen=True, slots=True)
class Sample:
    """What is seen at one moment: so many workers are busy, idle, starting."""

    busy: int = 0
    idle: int = 0
    starting: int = 0
    queue: int = 0  # connections, in the longest of the queues
    keeps_waiting: bool = False  # one who is busy for long has clients in its lobby
    has_served: bool = False  # anything since the last sample
    has_memory: bool = True  # for more workers


class Scaling:
    """Makes up its mind with each sample; `wanted` is the result.

    `reason` is why there are not more, when more are needed: "memory", "most" or "".
    """

    def __init__(self, rules: Rules, *, ceiling: int = 8) -> None:
        # One starts with 0:MAX too, to prove that it can.
        self.wanted = max(1, rules.scale.least)
        self.reason = ""
        self._rules = rules
        self._ramp = Ramp(ceiling)
        self._peak = Peak()
        self._patience = Patience(rules.idle_timeout)
        self._has_queued = False  # in the last sample, with nobody idle
        self._grown_at = -inf
        self._shrunk_at = -inf

    def follow(self, rules: Rules) -> None:
        """Go on with other rules; nothing changes if they are the same."""
        if rules.idle_timeout != self._rules.idle_timeout:
            self._patience = Patience(rules.idle_timeout)
        if rules.scale != self._rules.scale:
            self.wanted = rules.scale.hold(self.wanted)
        self._rules = rules

    def hold_off(self, now: float) -> None:
        """The generation has changed: for a while one worker a second will do."""
        self._ramp.hold_off(now)

    def wake(self, queue: int, now: float) -> None:
        """Nobody works, and somebody has called."""
        self._has_queued = True
        self._grow(max(1, queue), Sample(queue=queue), now)

    def consider(self, sample: Sample, now: float) -> None:
        """Look at one more sample; they come at regular intervals."""
        if self._grown_at == -inf or not sample.busy + sample.idle:
            self._grown_at = now  # the first are still on their way
        busy = max(sample.busy, int(sample.has_served))
        self._peak.add(busy, now, within=self._patience.seconds)
        self._patience.forgive(now)
        self.reason = ""
        missing = self._count_missing(sample)
        if missing > 0:
            self._grow(missing, sample, now)
        elif self._may_shrink(now):
            self.wanted -= 1
            self._shrunk_at = now

    def _count_missing(self, sample: Sample) -> int:
        serving = sample.busy + sample.idle
        starting = max(sample.starting, self.wanted - serving)
        missing = self._spare() - sample.idle - starting
        # Clients in a lobby may have nothing to ask: one worker will do, and takes
        # them all in.
        waiting = max(sample.queue, int(sample.keeps_waiting))
        is_queuing = waiting > 0 and sample.idle == 0
        has_queued, self._has_queued = self._has_queued, is_queuing
        if is_queuing and has_queued:
            missing = max(missing, ceil(waiting / 2) - starting)
        return missing

    def _spare(self) -> int:
        """So many should be idle; of 0:MAX none, when nobody has come for long."""
        if not self._peak.value and not self._rules.scale.least:
            return 0
        if self._rules.spare is not None:
            return self._rules.spare
        return max(1, ceil(self.wanted / 10)) if self._rules.scale.least else 0

    def _grow(self, missing: int, sample: Sample, now: float) -> None:
        # Whoever is still here though not wanted, being busy, is wanted again.
        base = max(self.wanted, sample.busy + sample.idle + sample.starting)
        room = self._rules.scale.most - base
        if room <= 0:
            self.reason = "most" if sample.queue and not sample.idle else ""
            return
        if not sample.has_memory:
            self.reason = "memory"
            return
        granted = self._ramp.grant(min(missing, room), now)
        if granted:
            self.wanted = base + granted
            self._patience.grown(now, shrunk_at=self._shrunk_at)
            self._grown_at = now

    def _may_shrink(self, now: float) -> bool:
        is_quiet = now - self._grown_at >= self._patience.seconds
        is_time = now - self._shrunk_at >= self._rules.idle_timeout / STEPS
        return is_quiet and is_time and self.wanted > self._enough()

    def _enough(self) -> int:
        """So many may stay: the busiest moment's, and twice the spare ones."""
        return max(self._rules.scale.least, self._peak.value + 2 * self._spare())


class Ramp:
    """Grants 1, 2, 4, 8 … in successive seconds; after one without a wish 1 again."""

    def __init__(self, ceiling: int) -> None:
        self._ceiling = ceiling
        self._rate = 1
        self._granted = 0
        self._began = -inf
        self._held_until = -inf

    def hold_off(self, now: float) -> None:
        self._held_until = now + HOLD_OFF
        self._rate = 1

    def grant(self, wish: int, now: float) -> int:
        """How many of the wished for may be ordered now."""
        if now - self._began >= RAMP_STEP:
            goes_on = now - self._began < 2 * RAMP_STEP and now >= self._held_until
            self._rate = min(2 * self._rate, self._ceiling) if goes_on else 1
            self._began, self._granted = now, 0
        granted = max(0, min(wish, self._rate - self._granted))
        self._granted += granted
        return granted


class Peak:
    """The largest of the numbers of the last while."""

    def __init__(self) -> None:
        # Each is smaller than the one before: the others cannot become the largest.
        self._falling: deque[tuple[float, int]] = deque()

    def add(self, number: int, now: float, *, within: float) -> None:
        while self._falling and self._falling[-1][1] <= number:
            self._falling.pop()
        self._falling.append((now, number))
        while self._falling[0][0] <= now - within:
            self._falling.popleft()

    @property
    def value(self) -> int:
        return self._falling[0][1] if self._falling else 0


class Patience:
    """How long to look before one leaves: longer if those who left were missed."""

    def __init__(self, idle_timeout: float) -> None:
        self._shortest = self.seconds = idle_timeout
        self._missed = -inf  # the last leave that was regretted
        self._changed_at = -inf

    def grown(self, now: float, *, shrunk_at: float) -> None:
        """More are needed.  Once for each time that some have left."""
        if shrunk_at > self._missed and now - shrunk_at < self.seconds:
            self._missed = shrunk_at
            self._changed_at = now
            self.seconds = min(2 * self.seconds, LONGEST * self._shortest)

    def forgive(self, now: float) -> None:
        if self.seconds == self._shortest:
            return
        if now - self._changed_at >= FORGIVEN * self._shortest:
            self._changed_at = now
            self.seconds = max(self.seconds / 2, self._shortest)
