"""What the master waits for: descriptors, each with the one who hears it."""

import select
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext


class Reactor:
    """One epoll; its turn calls back for each ready descriptor, in order.

    Each within `guard`, so that one which fails is not in the others' way.
    """

    def __init__(
        self,
        guard: AbstractContextManager[object, bool | None] = nullcontext(),  # noqa: B008
    ) -> None:
        self._guard = guard
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def expect(self, fd: int, events: int) -> None:
        """Call back for these events only; a hang-up is always one."""
        self._epoll.modify(fd, events)

    def unwatch(self, fd: int) -> None:
        """Before the descriptor is closed."""
        if self._callbacks.pop(fd, None):
            self._epoll.unregister(fd)

    def turn(self, timeout: float) -> None:
        """Wait up to `timeout` seconds, and let everyone hear what is theirs."""
        for fd, _ in self._epoll.poll(timeout):
            # A callback may have unwatched one that comes after it.
            if callback := self._callbacks.get(fd):
                with self._guard:
                    callback()
