"""prefork.master.crashes: a request that kills one worker after the other."""

import pytest

from prefork.master.crashes import MOST_RECORDS, Crashes, method_and_path


def test_the_third_crash_within_a_minute_names_the_request() -> None:
    """Behaviour 20."""
    crashes = Crashes()
    assert crashes.record("10.0.0.1 GET /deadly", 100.0) == ""
    assert crashes.record("10.0.0.2 GET /deadly", 120.0) == ""
    assert crashes.record("10.0.0.3 GET /deadly", 159.9) == "GET /deadly"


def test_three_crashes_in_more_than_a_minute_are_bad_luck() -> None:
    crashes = Crashes()
    for now in (100.0, 130.0, 160.0, 190.0, 220.0):
        assert crashes.record("10.0.0.1 GET /deadly", now) == ""


def test_a_request_is_named_once_a_minute() -> None:
    crashes = Crashes()
    named = [crashes.record("10.0.0.1 GET /deadly", float(n)) for n in range(130)]
    assert [n for n, name in enumerate(named) if name] == [2, 62, 122]


def test_the_query_makes_no_difference() -> None:
    crashes = Crashes()
    names = [crashes.record(f"10.0.0.1 GET /deadly?n={n}", 0.0) for n in range(3)]
    assert names[-1] == "GET /deadly"


def test_method_and_path_do() -> None:
    crashes = Crashes()
    for request in ("GET /a", "POST /a", "GET /b", "GET /a", "POST /a", "GET /b"):
        assert crashes.record(f"10.0.0.1 {request}", 0.0) == ""


def test_two_poisons_are_told_apart() -> None:
    crashes = Crashes()
    named = [crashes.record(f"x GET /{'ab'[n % 2]}", 0.0) for n in range(6)]
    assert named == ["", "", "", "", "GET /a", "GET /b"]


def test_a_storm_of_crashes_takes_little_memory() -> None:
    crashes = Crashes()
    for number in range(2 * MOST_RECORDS):
        crashes.record(f"x GET /{number}", 0.0)
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
