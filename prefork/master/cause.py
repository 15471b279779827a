"""Why there is to be another generation, in the words of the log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    name: str
    keeping: str  # what serves on, if it comes to nothing


RELOAD = Cause("reload", keeping="old code")
REFORK = Cause("refork", keeping="old template")
CAUSES = {cause.name: cause for cause in (RELOAD, REFORK)}
