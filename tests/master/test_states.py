"""prefork.master.states: the table, walked from end to end."""

import re

import pytest

from prefork.master import states
from prefork.master.states import TRANSITIONS, Action, Event, State

LIVING = [state for state in State if state is not State.GONE]
PAST_SERVING = [State.RETIRING, State.ABORTED, State.KILLED, State.GONE]
every_living_state = pytest.mark.parametrize("state", LIVING)


def reachable(start: State) -> set[State]:
    """All states that a worker may see after `start`."""
    found: set[State] = set()
    to_visit = {start}
    while to_visit:
        nexts = {state for state, _ in TRANSITIONS[to_visit.pop()].values()}
        to_visit |= nexts - found
        found |= nexts
    return found


def test_every_state_has_its_row() -> None:
    assert set(TRANSITIONS) == set(State)


@every_living_state
def test_every_living_worker_can_exit(state: State) -> None:
    assert TRANSITIONS[state][Event.EXITED] == (State.GONE, Action.NOTHING)


@every_living_state
def test_whoever_is_overdue_long_enough_is_killed(state: State) -> None:
    for _ in State:
        state, action = TRANSITIONS[state][Event.OVERDUE]
    assert (state, action) == (State.KILLED, Action.KILL)


@every_living_state
def test_a_worker_whose_stacks_can_be_dumped_is_aborted_first(state: State) -> None:
    was_told = state in (State.ABORTED, State.KILLED)
    has_stacks = state is not State.ORDERED and not was_told
    action = TRANSITIONS[state][Event.OVERDUE][1]
    assert action is (Action.ABORT if has_stacks else Action.KILL)


@every_living_state
def test_every_living_worker_can_be_sent_away(state: State) -> None:
    left = TRANSITIONS[state][Event.RETIRE][0]
    assert State.SERVING not in {left, *reachable(left)}


@pytest.mark.parametrize("state", PAST_SERVING)
def test_nobody_goes_back_to_serving(state: State) -> None:
    assert State.SERVING not in reachable(state)


def test_every_state_is_reached_by_some_worker() -> None:
    assert {State.ORDERED, *reachable(State.ORDERED)} == set(State)


def test_only_a_ready_worker_is_announced() -> None:
    announced = [
        (before, event, after)
        for before, row in TRANSITIONS.items()
        for event, (after, action) in row.items()
        if action is Action.ANNOUNCE
    ]
    assert announced == [
        (State.BOOTING, Event.READY, State.SERVING),
        (State.SETTLING, Event.READY, State.SERVING),
    ]


def test_the_dead_know_no_events() -> None:
    assert TRANSITIONS[State.GONE] == {}


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.ORDERED, Event.READY),  # nobody is ready before it exists
        (State.SERVING, Event.REGISTERED),  # nobody is born twice
        (State.GONE, Event.EXITED),  # nor dies twice
    ],
)
def test_what_cannot_be_is_a_missing_key(state: State, event: Event) -> None:
    with pytest.raises(KeyError):
        TRANSITIONS[state][event]


def test_the_docstring_tells_the_truth() -> None:
    assert states.__doc__
    arrow = r"([A-Z, ]+)(?= ─ (\w+) ─► ([A-Z]+))"
    told = re.findall(arrow, states.__doc__)
    assert len(told) >= 6
    for befores, event, after in told:
        for before in befores.split(","):
            row = TRANSITIONS[State[before.strip()]]
            assert row[Event[event.upper()]][0] is State[after]
