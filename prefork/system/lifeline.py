"""The lifeline: a pipe that ends with the master, which a worker notices in C.

A worker is sent TERM when the master dies (prctl(2), PR_SET_PDEATHSIG), and its
handler is Python: it waits while the application is in C code that keeps the
interpreter's lock, such as a regular expression that backtracks for hours.  Such a
worker would outlive the master and hold the port for as long.

So the end of a pipe, whose other end only the master has, is a signal too (fcntl(2),
F_SETSIG), and its handler a function of the C library: alarm(2), to which the number
of the signal is a number of seconds.  Which signal it is therefore says how long the
worker has.  Where Python does run its handler lets go of the lifeline, and sets the
one timer that there is to what is left of the request.
"""

import ctypes
import fcntl
import os
import signal
from typing import Any

# What nobody else uses: SIGSTKFLT, SIGPWR, and the real-time signals of glibc.
NUMBERS: tuple[int, ...] = (16, 30, *range(34, 65))

_libc = ctypes.CDLL(None)
_libc.signal.argtypes = [ctypes.c_int, ctypes.c_void_p]
_libc.signal.restype = ctypes.c_void_p
_ALARM = ctypes.cast(_libc.alarm, ctypes.c_void_p)


class Lifeline:
    """Both ends, in the master: `held` for those who depend on it."""

    def __init__(self, state: dict[str, Any] | None = None) -> None:
        if state is not None:
            self.held: int = state["held"]["fd"]
            self._end: int = state["end"]["fd"]
            return
        self.held, self._end = os.pipe2(os.O_CLOEXEC)
        os.fchmod(self.held, 0o444)  # a worker of another user opens it again

    def state(self) -> dict[str, Any]:
        """For the program that this process becomes: what to call Lifeline() with."""
        return {"held": {"fd": self.held}, "end": {"fd": self._end}}


class Grip:
    """A process that dies when the lifeline has ended: `grace` seconds later, or
    somewhat more; 64 at most."""

    def __init__(self, held: int, *, grace: float) -> None:
        self._number = seconds_for(grace)
        # Our own description: who is sent the signal is a matter of that.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        self._fd = os.open(f"/proc/self/fd/{held}", flags)
        _libc.signal(self._number, _ALARM)
        fcntl.fcntl(self._fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(self._fd, fcntl.F_SETSIG, self._number)
        fcntl.fcntl(self._fd, fcntl.F_SETFL, flags | os.O_ASYNC)

    def let_go(self) -> None:
        """Live on, whatever becomes of the lifeline; the signal may be on its way."""
        signal.signal(self._number, signal.SIG_IGN)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def seconds_for(grace: float) -> int:
    """The least number of seconds that is enough, and the number of a signal."""
    return next((number for number in NUMBERS if number >= grace), NUMBERS[-1])
