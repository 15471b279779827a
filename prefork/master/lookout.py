"""The lookout: waits for a connection while there is no worker.

The one time that the master watches a listener.  It accepts nobody: the call stays
in the queue for the worker that it brings about.
"""

from collections.abc import Sequence

from prefork.master.reactor import Reactor
from prefork.system.listen import Listener


class Lookout:
    """Watches listeners until somebody calls; `was_called` then, and no more."""

    def __init__(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._watched: list[int] = []
        self.was_called = False

    def watch(self, listeners: Sequence[Listener]) -> None:
        """Begin, or go on; they stay open until rest()."""
        if self._watched or self.was_called:
            return
        self._watched = [listener.socket.fileno() for listener in listeners]
        for fd in self._watched:
            self._reactor.watch(fd, self._hear)

    def _hear(self) -> None:
        # The epoll is level-triggered: until a worker has accepted the call, each
        # turn of the loop would end at once.
        self.rest()
        self.was_called = True

    def rest(self) -> None:
        """Watch no more, and forget who has called: while one waits, it calls again."""
        for fd in self._watched:
            self._reactor.unwatch(fd)
        self._watched = []
        self.was_called = False
