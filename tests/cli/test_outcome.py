"""What has become of requests, and whether that was expected."""

import pytest

from prefork.cli.outcome import RequestOutcome, parse_expectation, summarize
from prefork.protocols.watching.events import Answered, Broken, End, Event


def outcome_of(*events: Event, expectation: str | None = None) -> RequestOutcome:
    outcome = RequestOutcome()
    for event in events:
        outcome.take(event)
    outcome.judge(expectation)
    return outcome


OK = Answered(1, 200, "OK", ())


@pytest.mark.parametrize("expectation", [None, "200", "2xx", "404,200", "404,2xx"])
def test_an_answer_that_is_expected(expectation: str | None) -> None:
    outcome = outcome_of(OK, End(1), expectation=expectation)
    assert (outcome.problem, outcome.exit_status) == ("", 0)


@pytest.mark.parametrize(
    ("events", "problem"),
    [
        ([], "no answer"),
        ([OK], "no answer"),
        ([OK, End(1, "closed")], "closed"),
        ([OK, Broken("nonsense")], "nonsense"),
        ([Answered(1, 500, "Oh", ()), End(1)], "the status is 500, not 2xx"),
    ],
)
def test_an_answer_that_is_not(events: list[Event], problem: str) -> None:
    outcome = outcome_of(*events, expectation="2xx")
    assert (outcome.problem, outcome.exit_status) == (problem, 1)


@pytest.mark.parametrize("text", ["", "20", "2x", "200,", "xxx", "0xx", "200 404"])
def test_an_expectation_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="is not a status such as"):
        parse_expectation(text)


def test_many_are_summed_up() -> None:
    outcomes = [outcome_of(OK, End(1)) for _ in range(3)]
    for outcome, seconds in zip(outcomes, (0.001, 0.002, 0.009), strict=True):
        outcome.seconds = seconds
    outcomes += [
        RequestOutcome(problem="nobody is there"),
        RequestOutcome(problem="nobody is there"),
    ]
    assert list(summarize(outcomes)) == [
        "5 requests, 2 failed",
        "failed   2 × nobody is there",
        "status   200, 3 ×",
        "time     min 1 ms, median 2 ms, max 9 ms",
    ]
