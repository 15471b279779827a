"""Children that an application forks: they get nothing of the worker's.

os.fork(), and multiprocessing with it, gives the child all that the worker has
open.  It would keep the port when the last worker has left, and the end of their
answers from clients; a TERM meant for it would go into the signal pipe that it
shares, and retire its parent; and if it came back from the application it would
serve on, out of the same epoll.  (subprocess is no concern: it executes another
program, and what is ours is closed then.)
"""

import os
import signal
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from prefork.system.signals import SignalPipe
from prefork.worker.lobby import Lobby
from prefork.worker.service import Service


@dataclass(frozen=True, slots=True)
class WorkerOnly:
    """What is the worker's alone."""

    lobby: Lobby
    service: Service
    signals: SignalPipe

    def let_go(self) -> None:
        """Let go of all of it, in a child of the worker."""
        void([*self.lobby.descriptors(), *self.service.descriptors()])
        self.signals.leave()
        self.service.become_copy()


_worker_only: list[WorkerOnly] = []  # at most one: of the worker that we are
_before = threading.local()  # several may fork at a time


def keep_from_children(lobby: Lobby, service: Service, signals: SignalPipe) -> None:
    """See to it that no child of this process can meddle with what it does."""
    _worker_only[:] = [WorkerOnly(lobby, service, signals)]
    _watch_forks()


def be_no_worker() -> None:
    """Forget what is the worker's: this process is none, or none any more."""
    _worker_only.clear()


@cache
def _watch_forks() -> None:
    # Once for all lives of a process: nobody can ever take this back.
    os.register_at_fork(
        before=_hold_signals,
        after_in_parent=_release_signals,
        after_in_child=_let_go,
    )


def _hold_signals() -> None:
    # Until the child has left our signal pipe; it may be told to end at once.
    every = signal.valid_signals()
    _before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, every)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _before.mask)


def _let_go() -> None:
    for each in _worker_only:
        each.let_go()
    be_no_worker()
    _release_signals()


def void(descriptors: Iterable[int]) -> None:
    """Let descriptors lead nowhere.

    Not closed: their numbers would be given to what the child opens, and who
    still holds one of them would write there.
    """
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in descriptors:
        os.dup2(nowhere, fd, inheritable=False)
    os.close(nowhere)
