"""prefork.master.roster: slots, deadlines, and one step at a time."""

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.master import roster as roster_module
from prefork.master.roster import FOREVER, KILL_AGAIN, Member, Plan, Roster
from prefork.master.states import Action, Event, State

SLOTS = 32
NOW = 100.0


def order(roster: Roster, generation: int = 1, now: float = NOW) -> Member:
    member = roster.order(generation, now, boot_timeout=60.0, graceful_timeout=30.0)
    assert member is not None
    return member


def make_ready(roster: Roster, member: Member, now: float = NOW) -> None:
    roster.apply(member, Event.REGISTERED, now)
    roster.apply(member, Event.READY, now)


def staff(roster: Roster, count: int, generation: int = 1) -> list[Member]:
    """That many serving workers, each younger than the one before."""
    members = [order(roster, generation, NOW + i) for i in range(count)]
    for member in members:
        make_ready(roster, member, NOW + count)
    return members


def exits(roster: Roster, member: Member) -> None:
    roster.apply(member, Event.EXITED, NOW)


@pytest.fixture
def roster() -> Roster:
    return Roster(slots=SLOTS)


# Slots and deadlines


def test_slots_are_given_from_the_lowest(roster: Roster) -> None:
    members = [order(roster) for _ in range(4)]
    assert [m.slot for m in members] == [0, 1, 2, 3]
    exits(roster, members[1])
    exits(roster, members[2])
    assert [order(roster).slot for _ in range(3)] == [1, 2, 4]


def test_without_a_free_slot_nobody_is_ordered(roster: Roster) -> None:
    """Behaviour 64: beyond the table."""
    for _ in range(SLOTS):
        order(roster)
    assert roster.order(1, NOW, boot_timeout=1.0, graceful_timeout=1.0) is None


def test_whoever_has_exited_is_forgotten(roster: Roster) -> None:
    member = order(roster)
    member.pid = 812
    assert roster.by_pid(812) is member
    assert roster.apply(member, Event.EXITED, NOW) is Action.NOTHING
    assert roster.members == {}
    assert roster.by_pid(812) is None


def test_each_state_has_its_deadline(roster: Roster) -> None:
    """Behaviours 8 and 9: a worker that hangs before it serves is overdue."""
    member = order(roster)
    deadlines = [member.deadline]
    for event in (Event.REGISTERED, Event.READY, Event.RETIRE, Event.OVERDUE):
        roster.apply(member, event, NOW)
        deadlines.append(member.deadline)
    assert deadlines == [NOW + 10, NOW + 60, FOREVER, NOW + 30, NOW + 1]


def test_whoever_survives_a_kill_is_killed_again(roster: Roster) -> None:
    """It may sleep where no signal reaches it."""
    member = staff(roster, 1)[0]
    for now in (NOW, NOW + 1, NOW + 7, NOW + 20):
        action = roster.apply(member, Event.OVERDUE, now)
    assert action is Action.KILL
    assert member.deadline == NOW + 20 + KILL_AGAIN


def test_to_be_told_twice_to_retire_gives_no_more_time(roster: Roster) -> None:
    member = staff(roster, 1)[0]
    roster.apply(member, Event.RETIRE, NOW)
    assert roster.apply(member, Event.RETIRE, NOW + 20) is Action.TELL
    assert member.deadline == NOW + 30


def test_finds_the_overdue_and_the_next_deadline(roster: Roster) -> None:
    assert roster.next_deadline() == FOREVER
    first, second = order(roster, now=NOW), order(roster, now=NOW + 5)
    assert roster.next_deadline() == first.deadline
    assert roster.overdue(NOW + 9) == []
    assert roster.overdue(first.deadline) == [first]
    assert roster.overdue(second.deadline) == [first, second]


@pytest.mark.parametrize(
    ("requests", "age", "proven"),
    [(0, 0.5, False), (1, 0.5, False), (100, 0.5, True), (0, 60.0, True)],
)
def test_is_proven_by_age_or_by_work(
    roster: Roster, requests: int, age: float, proven: bool
) -> None:
    """Behaviour 15."""
    member = order(roster)
    make_ready(roster, member)
    assert member.is_proven(requests=requests, now=NOW + age) is proven


def test_whoever_was_never_ready_is_not_proven_by_age(roster: Roster) -> None:
    assert not order(roster).is_proven(requests=0, now=NOW + 1000)


# One step


def test_at_the_start_all_are_ordered_at_once(roster: Roster) -> None:
    assert roster.plan(1, 8) == Plan(orders=8)


def test_whoever_starts_is_not_ordered_again(roster: Roster) -> None:
    for _ in range(3):
        order(roster)
    roster.apply(order(roster), Event.REGISTERED, NOW)
    assert roster.plan(1, 8) == Plan(orders=4)


def test_with_all_in_place_there_is_nothing_to_do(roster: Roster) -> None:
    staff(roster, 8)
    assert roster.plan(1, 8) == Plan()


def test_replaces_a_worker_that_is_gone(roster: Roster) -> None:
    exits(roster, staff(roster, 8)[3])
    assert roster.plan(1, 8) == Plan(orders=1)


@pytest.mark.parametrize("event", [Event.RETIRE, Event.LEAVING, Event.OVERDUE])
def test_replaces_a_worker_that_is_on_its_way_out(roster: Roster, event: Event) -> None:
    roster.apply(staff(roster, 8)[3], event, NOW)
    assert roster.plan(1, 8) == Plan(orders=1)


def test_too_many_means_that_the_youngest_leave(roster: Roster) -> None:
    members = staff(roster, 8)
    assert roster.plan(1, 6) == Plan(retire=[members[7], members[6]])


def test_too_many_means_that_the_idle_leave_first(roster: Roster) -> None:
    """Behaviour 60: whoever is busy stays, if it can."""
    members = staff(roster, 8)
    busy = {7, 5, 4, 3, 2, 1}
    plan = roster.plan(1, 5, is_busy=busy.__contains__)
    assert plan.retire == [members[6], members[0], members[7]]


def test_of_an_old_generation_the_idle_leave_first(roster: Roster) -> None:
    old, _ = staff(roster, 4), staff(roster, 2, generation=2)
    plan = roster.plan(2, 4, is_busy={0, 2}.__contains__)
    assert plan.retire == [old[1], old[3]]


def test_wanting_none_retires_all(roster: Roster) -> None:
    """WINCH."""
    members = staff(roster, 4)
    plan = roster.plan(1, 0)
    assert plan.orders == 0
    assert sorted(m.slot for m in plan.retire) == [m.slot for m in members]


def test_wanting_none_replaces_no_one(roster: Roster) -> None:
    members = staff(roster, 2)
    members[0].wants_replacement = True
    assert roster.plan(1, 0).orders == 0


def test_while_it_backs_off_no_one_is_ordered(roster: Roster) -> None:
    """Behaviour 13."""
    exits(roster, staff(roster, 8)[0])
    assert roster.plan(1, 8, at_once=0) == Plan()


def test_after_failures_one_is_tried_at_a_time(roster: Roster) -> None:
    assert roster.plan(1, 8, at_once=1) == Plan(orders=1)
    order(roster)
    assert roster.plan(1, 8, at_once=1) == Plan()


# Replacement


def test_a_replacement_is_ordered_before_the_old_one_leaves(roster: Roster) -> None:
    """Behaviour 74."""
    old = staff(roster, 4)[1]
    old.wants_replacement = True
    assert roster.plan(1, 4) == Plan(orders=1)
    replacement = order(roster)
    assert roster.plan(1, 4) == Plan()
    make_ready(roster, replacement)
    assert roster.plan(1, 4) == Plan(retire=[old])
    roster.apply(old, Event.RETIRE, NOW)
    assert roster.plan(1, 4) == Plan()


def test_one_is_replaced_at_a_time(roster: Roster) -> None:
    """Behaviour 73."""
    for member in staff(roster, 4):
        member.wants_replacement = True
    assert roster.plan(1, 4) == Plan(orders=1)


def test_too_many_means_that_the_worn_leave_first(roster: Roster) -> None:
    members = staff(roster, 4)
    members[0].wants_replacement = True
    assert roster.plan(1, 3) == Plan(retire=[members[0]])
    assert roster.plan(1, 3, is_busy={0}.__contains__).retire == [members[0]]


# From one generation to the next


def test_new_ones_boot_beside_the_old_a_few_at_a_time(roster: Roster) -> None:
    staff(roster, 16)
    assert roster.plan(2, 16, surge=2) == Plan(orders=2)


def test_an_old_one_leaves_when_a_new_one_serves(roster: Roster) -> None:
    """Behaviour 21."""
    old = staff(roster, 4)
    new = order(roster, 2)
    assert roster.plan(2, 4).retire == []
    make_ready(roster, new)
    assert roster.plan(2, 4) == Plan(orders=1, retire=[old[0]])


def test_a_smaller_new_generation_takes_over(roster: Roster) -> None:
    """Behaviour 31."""
    old = staff(roster, 4)
    assert roster.plan(2, 2) == Plan(orders=1, retire=old[:2])


def test_a_larger_new_generation_grows_when_the_old_is_gone(roster: Roster) -> None:
    """Behaviour 31."""
    assert len(list(roll(roster, staff(roster, 2), target=2, wanted=6))) >= 2
    assert len(roster.serving(2)) == 6


def test_old_ones_that_do_not_serve_yet_are_not_waited_for(roster: Roster) -> None:
    unborn = order(roster, 1)
    booting = order(roster, 1)
    roster.apply(booting, Event.REGISTERED, NOW)
    assert roster.plan(2, 4) == Plan(orders=4, retire=[unborn, booting])


def test_the_canary_is_left_alone(roster: Roster) -> None:
    """Behaviour 23: while it sings, all others are of the old generation."""
    staff(roster, 4)
    canary = order(roster, 2)
    assert roster.plan(1, 4, ignore=2) == Plan()
    make_ready(roster, canary)
    assert roster.plan(1, 4, ignore=2) == Plan()


def test_rolling_back_is_rolling(roster: Roster) -> None:
    """Behaviour 25: the new ones go, the old ones are made up for."""
    old = staff(roster, 3, generation=1)
    new = staff(roster, 1, generation=2)
    unborn = order(roster, 2)
    assert roster.plan(1, 4) == Plan(orders=1, retire=[unborn])
    make_ready(roster, order(roster, 1))
    assert roster.plan(1, 4).retire == [unborn, *new]
    assert all(member.state is State.SERVING for member in old)


def roll(
    roster: Roster, old: list[Member], *, target: int, wanted: int
) -> Iterator[int]:
    """Roll to generation `target`; yields how many serve after each step."""
    for _ in range(200):
        plan = roster.plan(target, wanted, surge=max(1, wanted // 8))
        if plan == Plan():
            return
        for member in plan.retire:
            roster.apply(member, Event.RETIRE, NOW)
        yield len(roster.in_states(State.SERVING))
        for member in roster.in_states(State.RETIRING, State.KILLED):
            exits(roster, member)
        for _ in range(plan.orders):
            order(roster, target)
        for member in roster.in_states(State.ORDERED):
            make_ready(roster, member)
    raise AssertionError("does not come to an end")


@pytest.mark.parametrize("wanted", [1, 2, 8, 15])
def test_never_fewer_than_wanted_while_rolling(roster: Roster, wanted: int) -> None:
    """Behaviour 21."""
    old = staff(roster, wanted)
    assert min(roll(roster, old, target=2, wanted=wanted)) >= wanted
    assert len(roster.serving(2)) == wanted
    assert not roster.others(2)


# Whatever happens


class Anything:
    """A roster to which everything happens; `step` is one turn of the master."""

    def __init__(self, slots: int) -> None:
        self.roster = Roster(slots=slots)
        self.now = NOW
        self.target = 1
        self.wanted = 3

    def step(self, surge: int, at_once: int) -> Plan:
        plan = self.roster.plan(self.target, self.wanted, surge=surge, at_once=at_once)
        serving = len(self.roster.in_states(State.SERVING))
        leavers = [m for m in plan.retire if m.state is State.SERVING]
        assert len(set(map(id, plan.retire))) == len(plan.retire)
        assert not leavers or serving - len(leavers) >= self.wanted
        for member in plan.retire:
            self.roster.apply(member, Event.RETIRE, self.now)
        for _ in range(plan.orders):
            self.roster.order(
                self.target, self.now, boot_timeout=60.0, graceful_timeout=30.0
            )
        return plan

    def happen(self, event: Event, luck: int) -> None:
        """`event` to one of those to whom it can happen."""
        able = [
            m
            for m in self.roster.members.values()
            if event in roster_module.TRANSITIONS[m.state]
        ]
        if able:
            self.roster.apply(able[luck % len(able)], event, self.now)

    def want_replacement(self, luck: int) -> None:
        if serving := self.roster.in_states(State.SERVING):
            serving[luck % len(serving)].wants_replacement = True

    def settle(self) -> None:
        """From now on everything goes well, for as long as it takes."""
        for _ in range(200):
            self.now += 1
            plan = self.step(surge=1, at_once=1024)
            others = [
                m for m in self.roster.members.values() if m.state is not State.SERVING
            ]
            if plan == Plan() and not others:
                return
            for member in others:
                self.get_on(member)
        raise AssertionError("does not come to rest")

    def get_on(self, member: Member) -> None:
        if member.state is State.ORDERED:
            make_ready(self.roster, member, self.now)
        elif member.state is State.BOOTING:
            self.roster.apply(member, Event.READY, self.now)
        else:
            exits(self.roster, member)


events = st.tuples(st.just("event"), st.sampled_from(Event), st.integers(0, 99))
steps = st.tuples(st.just("step"), st.integers(1, 4), st.integers(0, 8))
wishes = st.tuples(st.just("want"), st.integers(0, 8), st.integers(1, 4))
worn = st.tuples(st.just("worn"), st.integers(0, 99), st.none())


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(events, steps, wishes, worn), max_size=60))
def test_whatever_happens_it_ends_with_what_is_wanted(happenings: list) -> None:
    anything = Anything(SLOTS)
    for kind, first, second in happenings:
        anything.now += 0.1
        match kind:
            case "event":
                anything.happen(first, second)
            case "step":
                anything.step(first, second)
            case "worn":
                anything.want_replacement(first)
            case "want":
                anything.wanted, anything.target = first, second
    anything.settle()
    roster = anything.roster
    assert len(roster.serving(anything.target)) == anything.wanted
    assert len(roster.members) == anything.wanted
    assert not any(member.wants_replacement for member in roster.members.values())
