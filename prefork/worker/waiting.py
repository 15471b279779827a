"""Waiting for the client in the middle of its request: on its time, not ours.

The request's deadline is the application's.  While a body is late, or a reader
is slow, the client's own deadline counts instead, and the request's is moved by
as long as it took; so a slow client never gets a worker killed.
"""

import select
import time

from prefork.monitor.scoreboard import WorkerSlot


class Waiting:
    """How a worker waits for one descriptor; one for the life of a worker."""

    def __init__(self, slot: WorkerSlot) -> None:
        self._slot = slot

    def wait_readable(self, fd: int, seconds: float) -> bool:
        """Is there something to read (or the end) within `seconds`?"""
        return self._wait(fd, select.POLLIN, seconds)

    def wait_writable(self, fd: int, seconds: float) -> bool:
        return self._wait(fd, select.POLLOUT, seconds)

    def wait_either(self, fd: int, seconds: float) -> bool:
        return self._wait(fd, select.POLLIN | select.POLLOUT, seconds)

    def _wait(self, fd: int, events: int, seconds: float) -> bool:
        poll = select.poll()
        poll.register(fd, events)
        deadline = self._slot.deadline()
        before = time.monotonic_ns()
        self._slot.postpone(0)
        try:
            return bool(poll.poll(max(0.0, seconds) * 1000))
        finally:
            waited = time.monotonic_ns() - before
            self._slot.postpone(deadline + waited if deadline else 0)
