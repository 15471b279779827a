"""The control groups that we are in: where the kernel shows them."""

import os
from collections.abc import Iterator
from pathlib import Path


def find_groups(process: str = "/proc/self") -> list[Path]:
    """The directories where our memory may be counted: of version 2, of version 1.

    A machine can have both, of which one counts.  `process` is our directory in
    /proc: `cgroup` and `mountinfo` are read there (cgroups(7),
    proc_pid_mountinfo(5)).
    """
    try:
        groups = Path(process, "cgroup").read_text()
        mounts = Path(process, "mountinfo").read_text()
    except OSError:
        return []
    candidates = _find_candidates(dict(_read_places(groups)), mounts)
    return [Path(path) for path in candidates if os.path.isdir(path)]


def _read_places(groups: str) -> Iterator[tuple[str, str]]:
    """Controller → our path in its hierarchy; "" is the controller of v2.

    A line is `4:memory:/path`, or `0::/path` for v2.
    """
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _find_candidates(places: dict[str, str], mountinfo: str) -> Iterator[str]:
    for line in mountinfo.splitlines():
        what, _, filesystem = line.partition(" - ")
        root, mount_point = what.split()[3:5]
        kind, _, options = filesystem.split(" ", 2)
        if kind == "cgroup2" and "" in places:
            yield _inside(mount_point, root, places[""])
        elif kind == "cgroup" and "memory" in options.split(","):
            yield _inside(mount_point, root, places.get("memory", "/"))


def _inside(mount_point: str, root: str, path: str) -> str:
    """Where `path` is, if a file system's directory `root` is mounted there."""
    return mount_point + path.removeprefix(root.rstrip("/")).rstrip("/")
