"""Out of memory: has the kernel killed one of us for want of it?

A SIGKILL says nothing of who sent it.  But the kernel counts its own: `oom_kill`
in memory.events (cgroup v2, Documentation/admin-guide/cgroup-v2.rst), or in
memory.oom_control (v1), is the number of processes of this control group that
were killed for want of memory, whoever's limit it was.  It is raised before the
signal is sent, so whoever reaps the victim finds it raised.
"""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path

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
    """The file with the count of the control group that we are in, or None.

    `process` is our directory in /proc: `cgroup` and `mountinfo` are read there
    (cgroups(7), proc_pid_mountinfo(5)).
    """
    try:
        groups = Path(process, "cgroup").read_text()
        mounts = Path(process, "mountinfo").read_text()
    except OSError:
        return None
    candidates = _find_counters(dict(_read_places(groups)), mounts)
    return next(filter(os.path.exists, candidates), None)


def _read_places(groups: str) -> Iterator[tuple[str, str]]:
    """Controller → our path in its hierarchy; "" is the controller of v2.

    A line is `4:memory:/path`, or `0::/path` for v2.
    """
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _find_counters(places: dict[str, str], mountinfo: str) -> Iterator[str]:
    for line in mountinfo.splitlines():
        what, _, filesystem = line.partition(" - ")
        root, mount_point = what.split()[3:5]
        kind, _, options = filesystem.split(" ", 2)
        if kind == "cgroup2" and "" in places:
            yield _inside(mount_point, root, places[""]) + "/memory.events"
        elif kind == "cgroup" and "memory" in options.split(","):
            place = places.get("memory", "/")
            yield _inside(mount_point, root, place) + "/memory.oom_control"


def _inside(mount_point: str, root: str, path: str) -> str:
    """Where `path` is, if a file system's directory `root` is mounted there."""
    return mount_point + path.removeprefix(root.rstrip("/")).rstrip("/")
