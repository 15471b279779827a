"""Out of memory: has the kernel killed one of us for want of it?

A SIGKILL says nothing of who sent it.  But the kernel counts its own: `oom_kill`
in memory.events (cgroup v2, Documentation/admin-guide/cgroup-v2.rst), or in
memory.oom_control (v1), is the number of processes of this control group that
were killed for want of memory, whoever's limit it was.  It is raised before the
signal is sent, so whoever reaps the victim finds it raised.
"""

from collections import deque

from prefork.system.cgroup import find_groups

COUNTERS = ("memory.events", "memory.oom_control")  # of version 2, of version 1
LOOK_EVERY = 1.0  # seconds: it costs 20 µs
# Seconds from the kill until the victim is reaped: its memory is freed first.
FRESH = 10.0


class OomKills:
    """The count of one control group, and which deaths it has explained.

    Who dies of a SIGKILL claims a kill that was counted just before, and each is
    claimed once.  An old one, of a child of the application's, explains nothing.
    """

    def __init__(self, counter: str | None) -> None:
        self._counter = counter
        self._count = self._read()
        self._looked_at = 0.0
        self._fresh: deque[float] = deque()  # when kills were seen that none claimed

    def look_now_and_then(self, now: float) -> None:
        """Keep up with the counter, so that a kill is known to be old or fresh."""
        if now >= self._looked_at + LOOK_EVERY:
            self._look(now)

    def claim(self, now: float) -> bool:
        """Someone has died of SIGKILL at `now`: was it the kernel, for memory?"""
        self._look(now)
        if self._fresh:
            self._fresh.popleft()
            return True
        return False

    def _look(self, now: float) -> None:
        self._looked_at = now
        while self._fresh and self._fresh[0] <= now - FRESH:
            self._fresh.popleft()
        before, self._count = self._count, self._read()
        self._fresh.extend([now] * (self._count - before))

    def _read(self) -> int:
        return read_count(self._counter) if self._counter else 0


def read_count(counter: str) -> int:
    """The number after `oom_kill`; 0 if there is none."""
    try:
        with open(counter) as file:
            fields = dict(line.split() for line in file)
            return int(fields.get("oom_kill", 0))
    except (OSError, ValueError):
        return 0


def find_counter(process: str = "/proc/self") -> str | None:
    """The file with the count of the control group that we are in, or None."""
    candidates = (group / name for group in find_groups(process) for name in COUNTERS)
    return next((str(path) for path in candidates if path.exists()), None)
