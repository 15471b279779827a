"""prefork.worker.deadline: more time for a request, within limits."""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from prefork.monitor.scoreboard import SECOND, Scoreboard, WorkerSlot
from prefork.worker.deadline import Deadline

Begin = Callable[..., tuple[Deadline, WorkerSlot]]


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Begin a request that has `left` seconds, `ago` seconds ago."""
    scoreboard = Scoreboard()
    slot = scoreboard.worker_slot(0)

    def begin(*, left: float, longest: float, ago: float = 0.0) -> tuple:
        now = time.monotonic_ns()
        deadline = now + int(left * SECOND) if left else 0
        slot.begin(b"GET /", now=now - int(ago * SECOND), deadline=deadline)
        return Deadline(slot, longest=longest), slot

    yield begin
    os.close(scoreboard.descriptor)


def test_tells_how_long_is_left(begin: Begin) -> None:
    deadline, _ = begin(left=30, longest=300)
    assert 25 < deadline.remaining() <= 30


def test_can_be_put_off(begin: Begin) -> None:
    deadline, slot = begin(left=30, longest=300)
    before = slot.deadline()
    assert 115 < deadline.extend(90) <= 120
    assert slot.deadline() == before + 90 * SECOND


@pytest.mark.parametrize("seconds", [1000, float("inf")])
def test_cannot_be_put_off_beyond_the_limit(begin: Begin, seconds: float) -> None:
    """Behaviour 68: the limit counts from the start of the request."""
    deadline, _ = begin(left=30, longest=300, ago=100)
    assert 195 < deadline.extend(seconds) <= 200
    assert deadline.extend(seconds) <= 200


def test_never_comes_nearer(begin: Begin) -> None:
    """The time that a client has taken may have moved it beyond the limit."""
    deadline, slot = begin(left=30, longest=10)
    before = slot.deadline()
    deadline.extend(5)
    deadline.extend(-5)
    assert slot.deadline() == before


def test_a_request_without_one_needs_no_more_time(begin: Begin) -> None:
    deadline, slot = begin(left=0, longest=300)
    assert deadline.remaining() == float("inf")
    assert deadline.extend(60) == float("inf")
    assert slot.deadline() == 0


def test_a_request_that_is_over_extends_nothing(begin: Begin) -> None:
    deadline, slot = begin(left=30, longest=300)
    slot.end(now=time.monotonic_ns(), sent=0)
    deadline.extend(60)
    assert slot.deadline() == 0


def test_no_number_is_the_application_s_mistake(begin: Begin) -> None:
    deadline, slot = begin(left=30, longest=300)
    before = slot.deadline()
    with pytest.raises(ValueError, match="NaN"):
        deadline.extend(float("nan"))
    assert slot.deadline() == before
