"""prefork.master.backoff: how long until the next try."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.master.backoff import FIRST, FORGOTTEN, LONGEST, BackOff

NO_LUCK = 0.999_999_999  # of a chance in [0, 1): the longest delay


def test_the_first_try_need_not_wait() -> None:
    assert BackOff(lambda: 0.5).may_try(0.0)


def test_a_failure_delays_the_next_try() -> None:
    backoff = BackOff(lambda: NO_LUCK)
    delay = backoff.failed(100.0)
    assert delay == pytest.approx(FIRST)
    assert not backoff.may_try(100.0 + delay / 2)
    assert backoff.may_try(100.0 + delay)


def fail(backoff: BackOff, times: int) -> list[float]:
    """Fail so many times, each as soon as it may be tried; the delays."""
    return [backoff.failed(backoff.not_before) for _ in range(times)]


def test_each_failure_doubles_the_delay() -> None:
    delays = fail(BackOff(lambda: NO_LUCK), 5)
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6])


def test_the_delay_has_an_end() -> None:
    """However long it goes on: behaviour 13."""
    delays = fail(BackOff(lambda: NO_LUCK), 10_000)
    assert max(delays) == pytest.approx(LONGEST)
    assert delays == sorted(delays)


def test_six_seconds_of_failures_are_few_tries() -> None:
    """Two workers fail at once whenever they may: behaviour 13."""
    backoff, now, tries = BackOff(lambda: 0.0), 0.0, 2
    while now < 6.0:
        now += backoff.failed(now)
        tries += 1
    assert tries <= 14


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 50))
def test_the_jitter_takes_off_a_half_at_most(chance: float, failures: int) -> None:
    jittered, full = BackOff(lambda: chance), BackOff(lambda: NO_LUCK)
    *_, longest = fail(full, failures + 1)
    *_, delay = fail(jittered, failures + 1)
    assert longest * 0.499 <= delay <= longest * 1.001


def test_those_who_fail_together_count_once() -> None:
    """One `kill -9` of eight young workers must not cost half a minute."""
    backoff = BackOff(lambda: NO_LUCK)
    for _ in range(8):
        backoff.failed(50.0)
    assert backoff.failures == 1
    assert backoff.may_try(50.0 + FIRST)


def test_what_failed_long_ago_is_forgotten() -> None:
    """Behaviour 15: healthy for a minute, and it begins anew."""
    backoff = BackOff(lambda: NO_LUCK)
    fail(backoff, 8)
    backoff.forget(backoff.not_before + FORGOTTEN + 1)
    assert backoff.failures == 0
    assert backoff.may_try(50.0)
    assert backoff.failed(500.0) == pytest.approx(FIRST)


def test_what_failed_a_moment_ago_is_not() -> None:
    backoff = BackOff(lambda: NO_LUCK)
    delay = backoff.failed(50.0)
    backoff.forget(50.0 + delay + FORGOTTEN - 1)
    assert backoff.failures == 1


def test_a_success_is_a_new_beginning() -> None:
    """Behaviour 15."""
    backoff = BackOff(lambda: NO_LUCK)
    fail(backoff, 8)
    backoff.succeeded(born=backoff.last_failure - 1)  # that one tells us nothing
    assert backoff.failures == 8
    backoff.succeeded(born=backoff.last_failure + 1)
    assert backoff.failed(500.0) == pytest.approx(FIRST)
