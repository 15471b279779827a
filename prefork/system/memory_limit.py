"""The memory that our control group leaves us (version 2, cgroups(7))."""

from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


def find_cgroup() -> Path | None:
    """The directory of our control group, if there is one that we see."""
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return None
    path = next((line[3:] for line in lines if line.startswith("0::")), None)
    directory = CGROUPS / (path or "").lstrip("/")
    has_one = path is not None and (directory / "cgroup.procs").exists()
    return directory if has_one else None


def read_share(cgroup: Path) -> float | None:
    """Which part of its memory a control group uses; None when it has no limit.

    Of the limits on the way up to the root the one that is nearest counts.  What
    the kernel would drop at once, files that nobody has read lately, does not.
    """
    shares = []
    for directory in (cgroup, *cgroup.parents):
        try:
            limit = (directory / "memory.max").read_text().strip()
            used = int((directory / "memory.current").read_text())
            idle = _read_idle_files(directory)
        except (OSError, ValueError):
            continue  # the root has none of these files
        if limit.isdigit() and int(limit):
            shares.append((used - idle) / int(limit))
    return max(shares, default=None)


def _read_idle_files(directory: Path) -> int:
    for line in (directory / "memory.stat").read_text().splitlines():
        if line.startswith("inactive_file "):
            return int(line.split()[1])
    return 0
