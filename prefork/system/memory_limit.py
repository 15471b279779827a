"""The memory that our control groups leave us (either version, cgroups(7))."""

from collections.abc import Iterable, Iterator
from pathlib import Path

# Limit, use, and in memory.stat the files that nobody has read lately.
VERSION_2 = ("memory.max", "memory.current", "inactive_file")
VERSION_1 = ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
NO_LIMIT = 1 << 62  # bytes; version 1 has no word for it, and says some 2**63


def read_share(groups: Iterable[Path]) -> float | None:
    """Which part of its memory a control group uses; None when none has a limit.

    Of the limits on the way up to the root the one that is nearest counts.  What
    the kernel would drop at once, files that nobody has read lately, does not.
    """
    return max((share for group in groups for share in _read(group)), default=None)


def _read(group: Path) -> Iterator[float]:
    for directory in (group, *group.parents):
        for limit_file, use_file, idle_files in (VERSION_2, VERSION_1):
            try:
                limit = (directory / limit_file).read_text().strip()
                used = int((directory / use_file).read_text())
                idle = _read_idle_files(directory, idle_files)
            except (OSError, ValueError):
                continue  # of the other version; or the root, which has none of these
            if limit.isdigit() and 0 < int(limit) < NO_LIMIT:
                yield (used - idle) / int(limit)


def _read_idle_files(directory: Path, name: str) -> int:
    for line in (directory / "memory.stat").read_text().splitlines():
        if line.startswith(f"{name} "):
            return int(line.split()[1])
    return 0
