"""Outcome: how the last reload ended, for whoever asks later."""

import time
from dataclasses import asdict, dataclass
from typing import Any

from prefork.master.reload import Phase, Reload


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a reload ended."""

    number: int  # of the reload, from 1
    phase: Phase  # COMMIT; or the one in which it failed
    generation: int  # that serves since
    reason: str  # why it failed; empty: it has not
    exit_status: int  # of `prefork reload`
    when: float  # Unix time
    seconds: float  # that it took

    @classmethod
    def of(cls, reload: Reload, number: int, *, generation: int) -> "Outcome":
        return cls(
            number,
            reload.failed_in or Phase.COMMIT,
            generation,
            reload.reason,
            reload.exit_status,
            time.time(),
            reload.seconds,
        )

    def state(self) -> dict[str, Any]:
        """For the program that replaces this one; see prefork/master/handover.py."""
        return {**asdict(self), "phase": self.phase.value}

    @classmethod
    def restore(cls, state: dict[str, Any]) -> "Outcome":
        return cls(**{**state, "phase": Phase(state["phase"])})
