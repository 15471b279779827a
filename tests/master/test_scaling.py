"""prefork.master.scaling: each rule, with a clock that is told."""

from collections.abc import Callable
from itertools import pairwise
from math import ceil

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from prefork.master.scaling import (
    HOLD_OFF,
    LONGEST,
    STEPS,
    Patience,
    Peak,
    Ramp,
    Rules,
    Sample,
    Scaling,
)
from prefork.settings.scale import Scale

EVERY = 0.25  # seconds
MINUTE = 60.0


class Pool:
    """Workers that start at once, a load that is given, and the time."""

    def __init__(self, least: int, most: int, **rules: float | None) -> None:
        self.scaling = Scaling(Rules(Scale(least, most), **rules))
        self.now = 1000.0
        self.demand = 0  # requests at work or waiting
        self.starting = 0
        self.has_memory = True
        self.has_served = False
        self.history = [self.scaling.wanted]

    @property
    def wanted(self) -> int:
        return self.scaling.wanted

    def tick(self) -> int:
        """One sample; the number of workers that follows."""
        serving = self.wanted - min(self.starting, self.wanted)
        busy = min(self.demand, serving)
        sample = Sample(
            busy=busy,
            idle=serving - busy,
            starting=self.wanted - serving,
            queue=self.demand - busy,
            has_served=self.has_served,
            has_memory=self.has_memory,
        )
        self.scaling.consider(sample, self.now)
        self.now += EVERY
        if self.wanted != self.history[-1]:
            self.history.append(self.wanted)
        return self.wanted

    def run(self, seconds: float, demand: int | None = None) -> int:
        """Samples for that long; the number of workers then."""
        self.demand = self.demand if demand is None else demand
        for _ in range(ceil(seconds / EVERY)):
            self.tick()
        return self.wanted

    def run_until(self, condition: Callable[[], bool]) -> float:
        """Samples until something is so; the seconds that it took."""
        began = self.now
        while not condition():
            self.tick()
            assert self.now - began < 24 * 3600, "never"
        return self.now - began


# How many there are at first


@pytest.mark.parametrize(
    ("least", "most", "first"), [(4, 4, 4), (2, 8, 2), (0, 8, 1), (0, 1, 1)]
)
def test_begins_with_the_least_but_with_one(least: int, most: int, first: int) -> None:
    assert Pool(least, most).wanted == first


def test_a_static_scale_stays_whatever_happens() -> None:
    pool = Pool(4, 4)
    for demand in (0, 50, 0):
        assert pool.run(300, demand) == 4
    assert pool.history == [4]


# More


def test_a_burst_brings_one_two_four_and_eight_a_second() -> None:
    """Behaviour 59."""
    pool = Pool(1, 32)
    pool.run(5, demand=50)
    assert pool.history == [1, 2, 4, 8, 16, 24]  # 8 a second is the ceiling
    assert pool.run(60) == 32


def test_one_worker_that_is_idle_is_enough() -> None:
    pool = Pool(1, 32)
    assert pool.run(60, demand=1) == 2
    assert pool.run(60, demand=3) == 4
    assert pool.run(60, demand=5) == 6


def test_a_tenth_of_many_workers_should_be_idle() -> None:
    pool = Pool(1, 64)
    pool.run(30, demand=30)
    assert pool.wanted == 34


@pytest.mark.parametrize("spare", [0, 1, 3])
def test_as_many_are_idle_as_the_setting_says(spare: int) -> None:
    pool = Pool(1, 64, spare=spare)
    assert pool.run(30, demand=10) == 10 + spare


def test_who_starts_counts_as_idle() -> None:
    """Behaviour 59: boots that take long are not ordered again and again."""
    pool = Pool(1, 32)
    pool.demand, pool.starting = 1, 1
    pool.scaling.consider(Sample(busy=1, idle=0, starting=1), pool.now)
    assert pool.wanted == 1
    pool.scaling.consider(Sample(busy=1, idle=0, starting=1, queue=2), pool.now)
    pool.scaling.consider(Sample(busy=1, idle=0, starting=1, queue=2), pool.now)
    assert pool.wanted == 1


def test_who_was_ordered_and_cannot_be_forked_counts_as_starting() -> None:
    scaling = Scaling(Rules(Scale(4, 32)))
    for second in range(60):
        scaling.consider(Sample(busy=2, idle=0, starting=0), 1000.0 + second)
    assert scaling.wanted == 4


def test_a_queue_counts_when_it_is_there_twice() -> None:
    pool = Pool(1, 32, spare=0)
    full = Sample(busy=1, queue=6)
    moments = [full, Sample(busy=1), full, Sample(idle=1, queue=6), full]
    for number, sample in enumerate(moments):
        pool.scaling.consider(sample, 1000.0 + number)
        assert pool.wanted == 1
    pool.scaling.consider(full, 1005.0)
    assert pool.wanted == 2


def test_half_of_the_queue_is_what_is_missing() -> None:
    pool = Pool(1, 32, spare=0)
    assert pool.run(60, demand=1 + 2) == 3
    pool.scaling.consider(Sample(busy=3, queue=5), pool.now)
    pool.scaling.consider(Sample(busy=3, queue=5), pool.now)
    assert pool.wanted == 4  # a ramp that has rested begins with one
    pool.scaling.consider(Sample(busy=4, queue=5), pool.now + 1)
    assert pool.wanted == 6


def test_those_who_sit_behind_a_long_request_count_as_one() -> None:
    """They may be silent; and if they are not, they will sit behind the next one."""
    pool = Pool(1, 32, spare=0)
    seen = Sample(busy=1, keeps_waiting=True)
    pool.scaling.consider(seen, 1000.0)
    assert pool.wanted == 1
    pool.scaling.consider(seen, 1000.25)
    assert pool.wanted == 2
    pool.scaling.consider(Sample(busy=1, idle=1, keeps_waiting=True), 1002.0)
    pool.scaling.consider(Sample(busy=1, idle=1, keeps_waiting=True), 1002.25)
    assert pool.wanted == 2


def test_more_than_the_most_there_never_are_and_it_says_so() -> None:
    """Behaviour 59."""
    pool = Pool(1, 4)
    assert pool.run(30, demand=50) == 4
    assert pool.scaling.reason == "most"
    pool.run(30, demand=4)
    assert pool.scaling.reason == ""


def test_without_memory_there_are_no_more_and_it_says_so() -> None:
    """Behaviour 63."""
    pool = Pool(2, 32)
    pool.has_memory = False
    assert pool.run(60, demand=20) == 2
    assert pool.scaling.reason == "memory"
    pool.has_memory = True
    assert pool.run(60) > 20
    assert pool.scaling.reason == ""


def test_after_a_reload_one_a_second_must_do_for_a_while() -> None:
    pool = Pool(1, 32)
    pool.scaling.hold_off(pool.now)
    assert pool.run(HOLD_OFF, demand=50) == 1 + HOLD_OFF
    assert pool.run(3) >= 1 + HOLD_OFF + 2 + 4


def test_a_busy_worker_that_was_to_leave_is_wanted_again() -> None:
    scaling = Scaling(Rules(Scale(1, 32)))
    scaling.consider(Sample(busy=5, idle=0), 1000.0)
    assert scaling.wanted == 6


# Less


def test_after_a_quiet_minute_one_leaves_every_five_seconds() -> None:
    """Behaviour 60."""
    pool = Pool(1, 32)
    pool.run(30, demand=11)
    assert pool.wanted == 13
    pool.demand = 0
    assert MINUTE - 1 < pool.run_until(lambda: pool.wanted < 13) < MINUTE + 1
    began = pool.now
    for left in (11, 10, 9):
        pool.run_until(lambda left=left: pool.wanted == left)
    assert pool.now - began == pytest.approx(3 * MINUTE / STEPS, abs=1)
    assert pool.run(600) == 2  # as many spare ones again
    assert pool.run(3600) == 2


def test_the_busiest_moment_of_the_last_minute_counts() -> None:
    """Behaviour 60."""
    pool = Pool(1, 32)
    pool.run(30, demand=11)
    for _ in range(10):
        pool.run(50, demand=1)
        pool.run(0.25, demand=11)
    assert pool.wanted == 13
    assert pool.run(MINUTE + 30, demand=1) < 13


def test_less_than_the_least_there_never_are() -> None:
    """Behaviour 60."""
    pool = Pool(6, 32)
    pool.run(30, demand=20)
    assert pool.run(3600, demand=0) == 6


def test_who_has_just_come_is_not_sent_away() -> None:
    """The burst may be over before anyone has served it."""
    pool = Pool(1, 32, spare=0)
    pool.scaling.consider(Sample(busy=1, queue=16), pool.now)
    pool.scaling.consider(Sample(busy=1, queue=16), pool.now)
    pool.now += EVERY
    assert pool.wanted == 2
    assert pool.run(MINUTE - 1, demand=0) == 2
    assert pool.run(10) == 1


def test_the_times_are_parts_of_the_idle_timeout() -> None:
    pool = Pool(1, 32, idle_timeout=12.0)
    pool.run(12, demand=11)
    pool.demand = 0
    assert 11 < pool.run_until(lambda: pool.wanted < 13) < 13
    assert pool.run(11) == 2


# Flapping


def test_who_is_missed_stays_longer_the_next_time() -> None:
    """Behaviour 61."""
    pool = Pool(1, 32)
    waits = []
    for _ in range(6):
        pool.run(10, demand=11)
        pool.demand = 0
        many = pool.wanted
        waits.append(pool.run_until(lambda many=many: pool.wanted < many))
    minutes = [round(wait / MINUTE) for wait in waits]
    assert minutes == [1, 2, 4, 8, LONGEST, LONGEST]


def test_a_load_that_swings_every_thirty_seconds_moves_nobody() -> None:
    """Behaviour 61."""
    pool = Pool(1, 32)
    for _ in range(60):
        pool.run(15, demand=11)
        pool.run(15, demand=0)
    assert pool.wanted == max(pool.history)
    assert pool.history == sorted(pool.history)


@pytest.mark.parametrize("period", [100, 150, 200])
def test_a_load_that_swings_slowly_costs_few_forks(period: int) -> None:
    """Behaviour 61: without the penalty it would be 11 in each of the periods."""
    pool = Pool(1, 32)
    periods = 3 * 3600 // period
    for _ in range(periods):
        pool.run(period / 2, demand=11)
        pool.run(period / 2, demand=0)
    spawned = sum(max(0, b - a) for a, b in pairwise(pool.history))
    assert spawned < 11 * periods / 3


def test_what_was_long_ago_is_forgiven() -> None:
    patience = Patience(60.0)
    patience.grown(now=100.0, shrunk_at=90.0)
    patience.grown(now=300.0, shrunk_at=290.0)
    assert patience.seconds == 240.0
    patience.forgive(300.0 + 3599)
    assert patience.seconds == 240.0
    patience.forgive(300.0 + 3600)
    assert patience.seconds == 120.0
    patience.forgive(300.0 + 7200)
    patience.forgive(300.0 + 36000)
    assert patience.seconds == 60.0


def test_one_leave_is_regretted_once() -> None:
    patience = Patience(60.0)
    for now in (100.0, 101.0, 102.0):
        patience.grown(now, shrunk_at=90.0)
    assert patience.seconds == 120.0


# On demand


def test_on_demand_the_last_one_leaves_too() -> None:
    """Behaviour 62."""
    pool = Pool(0, 8)
    assert pool.run(MINUTE - 1) == 1
    assert pool.run(2) == 0


def test_on_demand_the_first_one_has_the_time_to_start() -> None:
    pool = Pool(0, 8)
    pool.starting = 1
    assert pool.run(3 * MINUTE) == 1
    pool.starting = 0
    assert pool.run(MINUTE - 1) == 1
    assert pool.run(2) == 0


def test_on_demand_spare_workers_leave_too() -> None:
    pool = Pool(0, 8, spare=2)
    pool.run(10, demand=4)
    assert pool.wanted == 6
    assert pool.run(3 * MINUTE, demand=0) == 0
    assert pool.run(3 * MINUTE) == 0


def test_whoever_serves_something_now_and_then_stays() -> None:
    """Though no sample finds it busy."""
    pool = Pool(0, 8)
    for _ in range(5):
        pool.run(MINUTE - 1)
        pool.has_served = True
        pool.tick()
        pool.has_served = False
    assert pool.wanted == 1


@pytest.mark.parametrize("queue", [0, 1, 20])
def test_a_caller_brings_one_worker_at_once(queue: int) -> None:
    """Behaviour 62: he may have left, or a queue may be unknown."""
    pool = Pool(0, 8)
    pool.run(2 * MINUTE)
    assert pool.wanted == 0
    pool.scaling.wake(queue, pool.now)
    assert pool.wanted == 1


def test_a_crowd_of_callers_brings_more_within_seconds() -> None:
    """Behaviour 62."""
    pool = Pool(0, 8)
    pool.run(2 * MINUTE)
    pool.scaling.wake(20, pool.now)
    assert pool.run(3, demand=20) >= 4


# Other rules


def test_goes_on_within_a_scale_that_has_changed() -> None:
    scaling = Scaling(Rules(Scale(1, 32)))
    scaling.follow(Rules(Scale(8, 8)))
    assert scaling.wanted == 8
    scaling.follow(Rules(Scale(2, 4)))
    assert scaling.wanted == 4
    scaling.follow(Rules(Scale(2, 32)))
    assert scaling.wanted == 4


def test_the_same_rules_again_change_nothing() -> None:
    pool = Pool(0, 8)
    pool.run(2 * MINUTE)
    pool.scaling.follow(Rules(Scale(0, 8)))
    assert pool.wanted == 0


# The parts


def test_a_ramp_starts_again_after_a_second_without_a_wish() -> None:
    ramp = Ramp(8)
    granted = [ramp.grant(100, now) for now in (0.0, 0.5, 1.0, 1.9, 2.0, 5.0, 6.0)]
    assert granted == [1, 0, 2, 0, 4, 1, 2]


def test_a_ramp_grants_no_more_than_is_wished_for() -> None:
    ramp = Ramp(8)
    assert [ramp.grant(1, now) for now in (0.0, 1.0, 1.5, 1.7)] == [1, 1, 1, 0]


@given(st.lists(st.tuples(st.floats(0.1, 9), st.integers(0, 9)), min_size=1))
def test_the_peak_is_the_largest_of_the_last_while(
    numbers: list[tuple[float, int]],
) -> None:
    peak, now, seen = Peak(), 0.0, []
    for pause, number in numbers:
        now += pause
        seen.append((now, number))
        peak.add(number, now, within=10.0)
        assert peak.value == max(n for at, n in seen if at > now - 10.0)


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    most = draw(st.integers(1, 40))
    return Scale(draw(st.integers(0, most)), most)


samples = st.builds(
    Sample,
    busy=st.integers(0, 50),
    idle=st.integers(0, 50),
    starting=st.integers(0, 50),
    queue=st.integers(0, 4096),
    keeps_waiting=st.booleans(),
    has_served=st.booleans(),
    has_memory=st.booleans(),
)


@hypothesis_settings(max_examples=200)
@given(
    scales(),
    st.sampled_from([None, 0, 1, 30]),
    st.lists(st.tuples(st.floats(0, 100), samples | scales()), max_size=50),
)
def test_whatever_is_seen_the_number_is_within_the_scale(
    scale: Scale, spare: int | None, events: list[tuple[float, Sample | Scale]]
) -> None:
    """Behaviours 59 and 60."""
    scaling, now = Scaling(Rules(scale, spare)), 0.0
    for pause, event in events:
        now += pause
        before = scaling.wanted
        if isinstance(event, Scale):
            scale = event
            scaling.follow(Rules(scale, spare))
        elif before:
            scaling.consider(event, now)
            assert scaling.wanted >= before - 1
        else:
            scaling.wake(event.queue, now)
        assert scale.least <= scaling.wanted <= scale.most
