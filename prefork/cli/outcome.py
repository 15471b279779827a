"""What has become of a request, or of many, and whether that was expected."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from prefork.errors import EXIT_OK, EXIT_REFUSED
from prefork.monitor.figures import format_duration
from prefork.protocols.watching.events import Answered, Broken, End, Event

_EXPECTATION = re.compile(r"[1-9](?:[0-9]{2}|xx)(?:,[1-9](?:[0-9]{2}|xx))*")


@dataclass(slots=True)
class RequestOutcome:
    """Of one request, as far as it has come."""

    status: int = 0  # of the answer; 0: none
    problem: str = "no answer"  # why the answer is none to rely on
    exit_status: int = EXIT_REFUSED
    seconds: float = 0.0

    def take(self, event: Event) -> None:
        """Note what the server has said."""
        match event:
            case Answered():
                self.status = event.status
            case Broken():
                self.problem = event.reason
            case End():
                self.problem = event.problem

    def judge(self, expectation: str | None) -> None:
        """Compare it with what was expected; None: any answer that is whole."""
        if not self.problem and expectation and not fits(self.status, expectation):
            self.problem = f"the status is {self.status}, not {expectation}"
        if not self.problem:
            self.exit_status = EXIT_OK


def parse_expectation(text: str) -> str:
    """Statuses such as 200,3xx; ValueError."""
    if not _EXPECTATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a status such as 200, 2xx or 200,404")
    return text


def fits(status: int, expectation: str) -> bool:
    code = str(status)
    return bool({code, f"{code[:1]}xx"} & set(expectation.split(",")))


def summarize(outcomes: Sequence[RequestOutcome]) -> Iterator[str]:
    """Write about many: how many failed and why, which statuses, what times."""
    problems = Counter(outcome.problem for outcome in outcomes if outcome.problem)
    yield f"{len(outcomes)} requests, {problems.total()} failed"
    for problem, count in problems.most_common():
        yield f"failed   {count} × {problem}"
    statuses = Counter(outcome.status for outcome in outcomes if outcome.status)
    for status, count in sorted(statuses.items()):
        yield f"status   {status}, {count} ×"
    times = [outcome.seconds for outcome in outcomes if outcome.status]
    if times:
        figures = map(format_duration, (min(times), median(times), max(times)))
        yield "time     min {}, median {}, max {}".format(*figures)
