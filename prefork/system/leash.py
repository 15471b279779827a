"""The leash: a program that is killed when we are gone, whoever else is.

posix_spawn(3) cannot arrange that a child dies with its parent (prctl(2),
PR_SET_PDEATHSIG).  But the end of a pipe can be a signal too (fcntl(2), F_SETOWN and
F_SETSIG), to any process group of ours.  So each worker has a pipe of which it holds
both ends.  When it dies the kernel lets go of the descriptor with the highest number
first: that is the writing end, and the reading end, still open then, gives the signal.
"""

import fcntl
import os
import signal

# By the pid of its owner, one at most: what a fork inherits is not its own.
_leashes: dict[int, "Leash"] = {}


class Leash:
    """A pipe whose end kills the process group that was tied to it last."""

    def __init__(self) -> None:
        self._reading, writing = os.pipe2(os.O_CLOEXEC)
        self._writing = fcntl.fcntl(writing, fcntl.F_DUPFD_CLOEXEC, self._reading + 1)
        os.close(writing)
        fcntl.fcntl(self._reading, fcntl.F_SETSIG, signal.SIGKILL)
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_ASYNC
        fcntl.fcntl(self._reading, fcntl.F_SETFL, flags)

    def tie(self, group: int) -> None:
        # The kernel keeps the group, not its number, which may be another's later.
        fcntl.fcntl(self._reading, fcntl.F_SETOWN, -group)

    def close(self) -> None:
        os.close(self._reading)
        os.close(self._writing)


def tie(group: int) -> None:
    """Have that process group killed when this process ends."""
    pid = os.getpid()
    if pid not in _leashes:
        while _leashes:  # our parent's: as long as we hold it, it would not end
            _leashes.popitem()[1].close()
        _leashes[pid] = Leash()
    _leashes[pid].tie(group)
