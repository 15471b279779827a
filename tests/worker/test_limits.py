"""prefork.worker.limits: long enough, and too slow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.worker.limits import ClientDeadlines, Lifespan, spread_lifespan

MEGABYTE = 1 << 20
FOREVER = Lifespan()

chances = st.floats(0, 1, exclude_max=True)


def spread(
    *, chance: float, requests: int = 0, jitter: int = 0, lifetime: float = 0.0
) -> Lifespan:
    return spread_lifespan(
        requests=requests,
        jitter=jitter,
        rss=0,
        lifetime=lifetime,
        now=100.0,
        chance=chance,
    )


def test_without_limits_a_worker_lives_for_ever() -> None:
    assert not FOREVER.is_over(requests=10**9, rss=10**12, now=10.0**9)


@pytest.mark.parametrize(
    ("lifespan", "last", "first_too_many"),
    [
        (Lifespan(requests=10), {"requests": 9}, {"requests": 10}),
        (Lifespan(rss=MEGABYTE), {"rss": MEGABYTE}, {"rss": MEGABYTE + 1}),
        (Lifespan(until=50.0), {"now": 49.9}, {"now": 50.0}),
    ],
)
def test_each_limit_ends_it(
    lifespan: Lifespan, last: dict, first_too_many: dict
) -> None:
    """Behaviours 73 and 74."""
    nothing = {"requests": 0, "rss": 0, "now": 0.0}
    assert lifespan.is_over(**{**nothing, **last}) == ""
    assert lifespan.is_over(**{**nothing, **first_too_many}).startswith("max-")


def test_the_reason_names_the_setting_and_the_figure() -> None:
    reason = Lifespan(rss=1000).is_over(requests=0, rss=1500, now=0.0)
    assert reason == "max-rss 1000: 1500 bytes"


@given(chances, st.integers(1, 10**6), st.integers(0, 10**5))
def test_the_jitter_adds_up_to_all_of_itself(
    chance: float, requests: int, jitter: int
) -> None:
    """Behaviour 73."""
    lifespan = spread(chance=chance, requests=requests, jitter=jitter)
    assert requests <= lifespan.requests <= requests + jitter


def test_workers_of_the_same_limit_leave_apart() -> None:
    """Behaviour 73."""
    limits = {
        spread(chance=n / 8, requests=1000, jitter=200).requests for n in range(8)
    }
    assert len(limits) == 8


@given(chances)
def test_a_limit_that_is_not_set_stays_so(chance: float) -> None:
    assert spread(chance=chance, jitter=100) == FOREVER


@given(chances, st.floats(1, 10**6))
def test_a_lifetime_is_shortened_by_a_tenth_at_most(
    chance: float, lifetime: float
) -> None:
    until = spread(chance=chance, lifetime=lifetime).until
    assert 100 + lifetime * 0.899 <= until <= 100 + lifetime


def deadlines(rate: int) -> ClientDeadlines:
    return ClientDeadlines(
        header=10.0,
        body=30.0,
        body_min_rate=rate,
        keep_alive=5.0,
        frontend_keep_alive=75.0,
        write=30.0,
        retirement=30.0,
    )


def test_the_connection_of_a_front_end_is_kept_for_longer() -> None:
    assert deadlines(0).for_idle(is_front_end=False) == 5.0
    assert deadlines(0).for_idle(is_front_end=True) == 75.0


def test_a_silent_body_has_its_timeout() -> None:
    assert deadlines(0).for_body(since=0.0, received=0, now=100.0) == 130.0


def test_a_trickle_is_not_for_ever() -> None:
    """A byte a second is never silent; but it is below any rate."""
    now, received = 0.0, 0
    while now < deadlines(1000).for_body(since=0.0, received=received, now=now):
        now, received = now + 1, received + 1
        assert now < 40
    assert now >= 30


def test_the_rate_counts_from_the_beginning() -> None:
    """Whoever was fast at first may pause, but not for longer than the timeout."""
    limits = deadlines(1000)
    assert limits.for_body(since=0.0, received=100_000, now=20.0) == 50.0
    assert limits.for_body(since=0.0, received=5_000, now=20.0) == 35.0
