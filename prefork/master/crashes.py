"""Crash records: which request was served when workers died, and how often."""

from collections import Counter, deque

WITHIN = 60.0  # seconds
MANY = 3
MOST_RECORDS = 1024
MOST_SUSPECTS = 1024
ENOUGH = 2  # workers of earlier generations


class Crashes:
    """Those of the last minute, and which generations each request has hit.

    It has no clock, and is told the time.
    """

    def __init__(self) -> None:
        self._records: deque[tuple[float, str]] = deque(maxlen=MOST_RECORDS)
        self._named: dict[str, float] = {}  # what was named, and when
        self._victims: dict[str, list[int]] = {}  # the generations that were hit

    def is_old(self, request: str, generation: int) -> bool:
        """Has it killed workers of earlier generations, and not just one by chance?
        Then it is not their successor's code that is wrong."""
        victims = self._victims.get(method_and_path(request), [])
        return sum(victim < generation for victim in victims) >= ENOUGH

    def record(self, request: str, now: float, *, generation: int) -> str:
        """A worker has died serving `request`, "peer METHOD target".

        Returns its method and path if that makes many, and it was not named
        within the last minute; else "".
        """
        self._forget(now)
        suspect = method_and_path(request)
        self._records.append((now, suspect))
        self._remember(suspect, generation)
        deaths = Counter(suspect for _, suspect in self._records)
        if deaths[suspect] < MANY or suspect in self._named:
            return ""
        self._named[suspect] = now
        return suspect

    def _remember(self, suspect: str, generation: int) -> None:
        victims = self._victims.pop(suspect, [])
        self._victims[suspect] = sorted([*victims, generation])[:ENOUGH]
        if len(self._victims) > MOST_SUSPECTS:
            del self._victims[next(iter(self._victims))]  # of the longest ago

    def _forget(self, now: float) -> None:
        while self._records and self._records[0][0] <= now - WITHIN:
            self._records.popleft()
        self._named = {s: at for s, at in self._named.items() if at > now - WITHIN}


def method_and_path(request: str) -> str:
    """`GET /report` for `192.0.2.7 GET /report?of=2026`.

    Without the query: what differs between requests is there, not in the path.
    """
    _, _, rest = request.partition(" ")
    return rest.partition("?")[0]
