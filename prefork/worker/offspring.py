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

from prefork.system.signals import SignalPipe
from prefork.worker.lobby import Lobby
from prefork.worker.service import Service


def disinherit_children(lobby: Lobby, service: Service, signals: SignalPipe) -> None:
    """See to it that no child of this process can meddle with what it does."""
    before = threading.local()  # several may fork at a time

    def hold_signals() -> None:
        # Until the child has left our signal pipe; it may be told to end at once.
        every = signal.valid_signals()
        before.mask = signal.pthread_sigmask(signal.SIG_BLOCK, every)

    def release_signals() -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, before.mask)

    def forget() -> None:
        void([*lobby.descriptors(), *service.descriptors()])
        signals.leave()
        service.become_copy()
        release_signals()

    os.register_at_fork(
        before=hold_signals, after_in_parent=release_signals, after_in_child=forget
    )


def void(descriptors: Iterable[int]) -> None:
    """Let descriptors lead nowhere.

    Not closed: their numbers would be given to what the child opens, and who
    still holds one of them would write there.
    """
    nowhere = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    for fd in descriptors:
        os.dup2(nowhere, fd, inheritable=False)
    os.close(nowhere)
