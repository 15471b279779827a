"""prefork.monitor.rates: two answers of a master, and what lies between them."""

from typing import Any

import pytest

from prefork.monitor.rates import Watch
from prefork.monitor.scoreboard import BUCKETS


def answer(
    now: float,
    *,
    requests: int = 0,
    errors: int = 0,
    busy_seconds: float = 0.0,
    running: tuple[float | None, ...] = (None, None),
    durations: dict[int, int] | None = None,
    pid: int = 812,
) -> dict[str, Any]:
    """What of an answer to `status` is looked at; `running` has a worker each."""
    counts = [(durations or {}).get(bucket, 0) for bucket in range(BUCKETS)]
    return {
        "pid": pid,
        "now": now,
        "totals": {
            "requests": requests,
            "errors": errors,
            "busy_seconds": busy_seconds,
        },
        "workers": {"busy": sum(seconds is not None for seconds in running)},
        "slots": [{"request_seconds": seconds} for seconds in running],
        "latency": {"durations": counts},
    }


def test_after_one_look_there_is_no_rate() -> None:
    rates = Watch().look(answer(100, requests=5000, running=(3.0, None)))
    assert (rates.requests, rates.errors, rates.p50) == (0, 0, None)
    assert rates.busy == 0.5
    assert rates.history == []


def test_rates_are_per_second() -> None:
    watch = Watch()
    watch.look(answer(100, requests=50, errors=1))
    rates = watch.look(answer(102, requests=70, errors=2))
    assert (rates.requests, rates.errors) == (10, 0.5)
    rates = watch.look(answer(103, requests=70, errors=2))
    assert (rates.requests, rates.errors) == (0, 0)
    assert rates.history == [10, 0]


def test_a_request_that_runs_makes_its_worker_busy() -> None:
    """Not only one that is over: what hangs for an hour is not idle for an hour."""
    watch = Watch()
    watch.look(answer(100, running=(1.0, None)))
    assert watch.look(answer(102, running=(3.0, None))).busy == pytest.approx(0.5)
    over = answer(103, busy_seconds=4.0)
    assert watch.look(over).busy == pytest.approx(0.5)


def test_a_worker_that_dies_takes_no_time_back() -> None:
    watch = Watch()
    watch.look(answer(100, running=(50.0, None)))
    assert watch.look(answer(101)).busy == 0


def test_percentiles_are_of_the_last_minute() -> None:
    watch = Watch()
    watch.look(answer(100, durations={20: 1000}))
    watch.look(answer(130, durations={20: 1000, 10: 10}))
    assert watch.look(answer(140, durations={20: 1000, 10: 10})).p99 < 0.002
    late = watch.look(answer(191, durations={20: 1000, 10: 10, 11: 10}))
    assert 0.001 < late.p50 < 0.003
    assert watch.look(answer(900, durations={20: 1000, 10: 10, 11: 10})).p50 is None


def test_the_history_has_sixty_values() -> None:
    watch = Watch()
    for second in range(200):
        rates = watch.look(answer(second, requests=second))
    assert rates.history == [1.0] * 60


def test_another_server_starts_anew() -> None:
    watch = Watch()
    watch.look(answer(100, requests=5000))
    watch.look(answer(101, requests=6000))
    rates = watch.look(answer(102, requests=5, pid=999))
    assert (rates.requests, rates.errors, rates.history) == (0, 0, [])
