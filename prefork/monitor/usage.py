"""What processes use: processor and memory, as the system counts it."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

import psutil

USS_EVERY = 5.0  # seconds: the kernel walks all pages for it, 1 ms or more


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one process; None: not known yet, or not for this user to know."""

    cpu: float | None = None  # 1.0: one processor, since the last look
    rss: int | None = None  # bytes
    uss: int | None = None  # of these, those that no other process shares

    @property
    def shared(self) -> float | None:
        """The share of its memory that others have too: what a fork has saved."""
        if not self.rss or self.uss is None:
            return None
        return max(0.0, 1 - self.uss / self.rss)


class Usages:
    """Looks at the same processes again and again; a pid used anew is a new one."""

    def __init__(self) -> None:
        self._known: dict[int, _Process] = {}

    def look(self, pids: Iterable[int]) -> dict[int, Usage]:
        """What each of these uses now; the others are forgotten."""
        self._known = {pid: self._known.get(pid) or _Process(pid) for pid in pids}
        return {pid: process.look() for pid, process in self._known.items()}


class _Process:
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._process: psutil.Process | None = None
        self._uss: int | None = None
        self._uss_at = 0.0

    def look(self) -> Usage:
        try:
            return self._look()
        except psutil.Error:  # it has left, or is another user's
            self._process = None
            return Usage()

    def _look(self) -> Usage:
        if self._process is None or not self._process.is_running():
            self._process = psutil.Process(self._pid)
            self._process.cpu_percent()  # from here on
            return Usage(rss=self._process.memory_info().rss, uss=self._read_uss())
        return Usage(
            cpu=self._process.cpu_percent() / 100,
            rss=self._process.memory_info().rss,
            uss=self._read_uss(),
        )

    def _read_uss(self) -> int | None:
        assert self._process is not None
        if time.monotonic() >= self._uss_at:
            self._uss_at = time.monotonic() + USS_EVERY
            try:
                self._uss = self._process.memory_full_info().uss
            except psutil.AccessDenied:
                self._uss = None
        return self._uss
