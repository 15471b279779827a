"""prefork.master.crashes: a request that kills one worker after the other."""

import pytest

from prefork.master.crashes import MOST_RECORDS, MOST_SUSPECTS, Crashes, method_and_path


def record(crashes: Crashes, request: str, now: float = 0.0) -> str:
    return crashes.record(f"192.0.2.7 {request}", now, generation=1)


def test_the_third_crash_within_a_minute_names_the_request() -> None:
    """Behaviour 20."""
    crashes = Crashes()
    assert record(crashes, "GET /deadly", 100.0) == ""
    assert record(crashes, "GET /deadly", 120.0) == ""
    assert record(crashes, "GET /deadly", 159.9) == "GET /deadly"


def test_three_crashes_in_more_than_a_minute_are_bad_luck() -> None:
    crashes = Crashes()
    for now in (100.0, 130.0, 160.0, 190.0, 220.0):
        assert record(crashes, "GET /deadly", now) == ""


def test_a_request_is_named_once_a_minute() -> None:
    crashes = Crashes()
    named = [record(crashes, "GET /deadly", float(n)) for n in range(130)]
    assert [n for n, name in enumerate(named) if name] == [2, 62, 122]


def test_the_query_makes_no_difference() -> None:
    crashes = Crashes()
    names = [record(crashes, f"GET /deadly?n={n}") for n in range(3)]
    assert names[-1] == "GET /deadly"


def test_method_and_path_do() -> None:
    crashes = Crashes()
    for request in ("GET /a", "POST /a", "GET /b", "GET /a", "POST /a", "GET /b"):
        assert record(crashes, request) == ""


def test_two_poisons_are_told_apart() -> None:
    crashes = Crashes()
    named = [record(crashes, f"GET /{'ab'[n % 2]}") for n in range(6)]
    assert named == ["", "", "", "", "GET /a", "GET /b"]


def test_a_storm_of_crashes_takes_little_memory() -> None:
    crashes = Crashes()
    for number in range(2 * MOST_RECORDS):
        record(crashes, f"GET /{number}")
    assert len(crashes._records) == MOST_RECORDS


@pytest.mark.parametrize(
    ("request_line", "suspect"),
    [
        ("192.0.2.7 GET /report?of=2026", "GET /report"),
        ("192.0.2.7 OPTIONS *", "OPTIONS *"),
        (" GET /of-a-unix-socket", "GET /of-a-unix-socket"),
        ("", ""),
    ],
)
def test_a_suspect_is_a_method_and_a_path(request_line: str, suspect: str) -> None:
    assert method_and_path(request_line) == suspect


def test_what_has_killed_workers_before_is_not_new() -> None:
    """Behaviour 25: one may be chance, two are not; those of today do not count."""
    crashes = Crashes()
    record(crashes, "GET /deadly?n=1")
    crashes.record("x GET /deadly", 200.0, generation=2)
    assert not crashes.is_old("x GET /deadly?n=2", 2)
    crashes.record("x GET /deadly", 9000.0, generation=1)
    assert crashes.is_old("x GET /deadly?n=2", 2)
    assert not crashes.is_old("x POST /deadly", 2)
    assert not crashes.is_old("x GET /deadly", 1)


def test_the_oldest_suspects_are_forgotten() -> None:
    crashes = Crashes()
    for path in ["old", "old", *map(str, range(MOST_SUSPECTS))]:
        record(crashes, f"GET /{path}")
    assert not crashes.is_old("x GET /old", 2)
