"""prefork.monitor.totals: they only grow, whoever comes, goes or is killed."""

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import astuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving import eventually

from prefork.monitor.scoreboard import BUCKETS, SLOTS, Scoreboard, WorkerSlot
from prefork.monitor.totals import Totals, percentile, read_totals

MICROSECOND = 1000  # nanoseconds


@pytest.fixture
def scoreboard() -> Iterator[Scoreboard]:
    scoreboard = Scoreboard()
    yield scoreboard
    os.close(scoreboard.descriptor)


def admit(scoreboard: Scoreboard, slot: int) -> WorkerSlot:
    scoreboard.admit(slot, generation=1, now=0)
    return scoreboard.worker_slot(slot)


def serve(slot: WorkerSlot, *, took: int = 0, sent: int = 0) -> None:
    slot.begin(b"GET /", now=100, deadline=0)
    slot.end(now=100 + took, sent=sent)


def durations(**counts: int) -> list[int]:
    """`_10=3`: three requests in the bucket that ends at 2**10 µs."""
    return [counts.get(f"_{bucket}", 0) for bucket in range(BUCKETS)]


# Totals


def test_nothing_has_been_done_yet(scoreboard: Scoreboard) -> None:
    assert read_totals(scoreboard) == Totals(0, 0, 0, 0, durations=durations())


def test_all_workers_are_added_up(scoreboard: Scoreboard) -> None:
    first, last = admit(scoreboard, 0), admit(scoreboard, SLOTS - 1)
    serve(first, took=3 * MICROSECOND, sent=10)
    serve(last, took=5 * MICROSECOND, sent=1)
    last.count_error()
    assert read_totals(scoreboard) == Totals(
        requests=2,
        errors=1,
        sent=11,
        busy=8 * MICROSECOND,
        durations=durations(_2=1, _3=1),
    )


def test_nothing_is_forgotten_when_a_slot_is_given_to_the_next(
    scoreboard: Scoreboard,
) -> None:
    """Behaviour 70."""
    serve(admit(scoreboard, 3), took=7 * MICROSECOND, sent=10)
    admit(scoreboard, 3).count_error()
    before = read_totals(scoreboard)
    for _ in range(3):
        admit(scoreboard, 3)
        assert read_totals(scoreboard) == before
    serve(admit(scoreboard, 3), sent=5)
    after = read_totals(scoreboard)
    assert (after.requests, after.errors, after.sent) == (2, 1, 15)
    assert scoreboard.read(3).requests == 1


def test_the_dead_can_be_read_until_their_slot_is_given_away(
    scoreboard: Scoreboard,
) -> None:
    slot = admit(scoreboard, 3)
    serve(slot)
    slot.begin(b"GET /deadly", now=1, deadline=2)
    read_totals(scoreboard)
    assert scoreboard.read(3).request == "GET /deadly"


@pytest.mark.parametrize("count", [1, 3])
def test_the_running_request_is_no_part_of_them(
    scoreboard: Scoreboard, count: int
) -> None:
    slot = admit(scoreboard, 0)
    for _ in range(count):
        serve(slot)
    slot.begin(b"GET /", now=1, deadline=2)
    assert read_totals(scoreboard).requests == count
    assert sum(read_totals(scoreboard).durations) == count


# Durations


@pytest.mark.parametrize(
    ("took", "bucket"),
    [
        (0, 0),
        (999, 0),
        (1 * MICROSECOND, 1),
        (2 * MICROSECOND - 1, 1),
        (2 * MICROSECOND, 2),
        (1000 * MICROSECOND, 10),
        (1024 * MICROSECOND, 11),
        (10**9, 20),
        (2**63 - 1000, 54),  # the clock itself ends there
    ],
)
def test_a_bucket_ends_at_a_power_of_two(
    scoreboard: Scoreboard, took: int, bucket: int
) -> None:
    serve(admit(scoreboard, 0), took=took)
    assert read_totals(scoreboard).durations == durations(**{f"_{bucket}": 1})


def test_of_no_requests_there_is_no_percentile() -> None:
    assert percentile(durations(), 0.99) is None


@pytest.mark.parametrize(
    ("share", "seconds"),
    [(0.25, 768e-6), (0.5, 1024e-6), (0.75, 1024e-6 * 1.5), (1.0, 2048e-6)],
)
def test_requests_are_spread_evenly_in_their_bucket(
    share: float, seconds: float
) -> None:
    assert percentile(durations(_10=4, _11=4), share) == pytest.approx(seconds)


@given(
    st.lists(st.integers(0, 10**7), min_size=1, max_size=200),
    st.sampled_from([0.5, 0.9, 0.99, 1.0]),
)
def test_a_percentile_is_right_to_a_factor_of_two(
    microseconds: list[int], share: float
) -> None:
    counts = [0] * BUCKETS
    for took in microseconds:
        counts[took.bit_length()] += 1
    index = -int(-len(microseconds) * share // 1) - 1
    exact = sorted(microseconds)[index] / 1e6
    found = percentile(counts, share)
    assert found is not None
    assert exact / 2 <= found <= max(2 * exact, 1e-6)


# With real writers, who are killed and replaced


@pytest.mark.process
def test_they_never_go_back_while_workers_come_and_go(scoreboard: Scoreboard) -> None:
    """Behaviours 70 and 71: read from another process, with no lock to hang in."""
    reader = _count_backward_steps(scoreboard)
    pids = {slot: _start_writer(scoreboard, slot) for slot in range(3)}
    for turn in range(60):
        slot = turn % 3
        time.sleep(0.005)  # the subject: what they do meanwhile
        _end(pids[slot])
        pids[slot] = _start_writer(scoreboard, slot)
    eventually(lambda: read_totals(scoreboard).requests > 1000)
    for pid in pids.values():
        _end(pid)
    os.kill(reader, signal.SIGTERM)
    _, status = os.waitpid(reader, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def _start_writer(scoreboard: Scoreboard, number: int) -> int:
    slot = admit(scoreboard, number)
    if pid := os.fork():
        return pid
    while True:
        serve(slot, took=5 * MICROSECOND, sent=1)


def _count_backward_steps(scoreboard: Scoreboard) -> int:
    """A child that reads until TERM; its exit code is how often one went back."""
    if pid := os.fork():
        return pid
    is_over: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: is_over.append(number))
    before, steps = read_totals(scoreboard), 0
    while not is_over:
        now = read_totals(scoreboard)
        pairs = zip(_numbers(now), _numbers(before), strict=True)
        steps += any(number < earlier for number, earlier in pairs)
        before = now
    os._exit(min(steps, 100))


def _numbers(totals: Totals) -> list[int]:
    *counters, buckets = astuple(totals)
    return [*counters, *buckets]


def _end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
