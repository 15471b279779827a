"""A control group with little memory, as a container has it; cgroups(7)."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from prefork.system.cgroup import find_groups
from serving.eventually import eventually

LIMITS = ("memory.max", "memory.limit_in_bytes")  # of version 2, of version 1
PEAKS = ("memory.peak", "memory.max_usage_in_bytes")


class Group:
    def __init__(self, path: Path) -> None:
        self._path = path
        self.wrapper = ["sh", "-c", f'echo $$ >{path}/cgroup.procs; exec "$@"', "sh"]

    @property
    def peak(self) -> int:
        """The most that was ever in use, in bytes, caches of files included."""
        return int(self._one_of(PEAKS).read_text())

    def set_limit(self, memory: int) -> None:
        self._one_of(LIMITS).write_text(str(memory))

    def _one_of(self, names: tuple[str, ...]) -> Path:
        return next(path for name in names if (path := self._path / name).exists())

    def is_empty(self) -> bool:
        return not (self._path / "cgroup.procs").read_text()


@contextmanager
def limited_group(memory: int) -> Iterator[Group]:
    """A group below ours; OSError: it cannot be made, or has no count of memory."""
    for parent in find_groups():
        path = parent / f"prefork-test-{uuid.uuid4().hex}"
        try:
            path.mkdir()
        except OSError:
            continue
        try:
            group = Group(path)
            if any((path / name).exists() for name in LIMITS):
                group.set_limit(memory)
                yield group
                eventually(group.is_empty)
                return
        finally:
            path.rmdir()
    raise OSError("no control group can be made below ours that counts memory")
