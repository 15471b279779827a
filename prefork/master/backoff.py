"""How long to wait before another try, when the last ones have failed."""

from collections.abc import Callable
from typing import Any

FIRST = 0.1  # seconds
LONGEST = 30.0
FORGOTTEN = 60.0  # after the last delay: failures of so long ago do not count


class BackOff:
    """Doubles its delay with each failure, jittered; until a worker is proven.

    `chance()` in [0, 1) spreads the tries of many masters on many machines.
    """

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self.failures = 0
        self.last_failure = 0.0
        self.not_before = 0.0

    def failed(self, now: float) -> float:
        """Count a failure; returns the delay in seconds.

        Those that fail together, as eight workers that one kill has hit, have one
        cause, and count once: until the next try nothing new can be learnt.
        """
        if now < self.not_before:
            return self.not_before - now
        longest = min(LONGEST, FIRST * (1 << min(self.failures, 16)))
        delay = longest * (0.5 + self._chance() / 2)
        self.failures += 1
        self.last_failure = now
        self.not_before = now + delay
        return delay

    def forget(self, now: float) -> None:
        """Begin anew if nothing has failed for a while."""
        if self.failures and now - self.not_before > FORGOTTEN:
            self.failures = 0
            self.not_before = 0.0

    def succeeded(self, born: float) -> None:
        """One has served well: begin anew, if it was born since the last failure."""
        if born >= self.last_failure:
            self.failures = 0
            self.not_before = 0.0

    def may_try(self, now: float) -> bool:
        return now >= self.not_before

    def state(self) -> dict[str, Any]:
        """For the program that replaces this one; see prefork/master/handover.py."""
        return {
            "failures": self.failures,
            "last_failure": self.last_failure,
            "not_before": self.not_before,
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.failures = state["failures"]
        self.last_failure = state["last_failure"]
        self.not_before = state["not_before"]
