"""Signals as a readable descriptor; who handles what, and resetting it.

A handler that only sets a flag is not enough: PEP 475 restarts the system call
it interrupted, so a waiting process would notice at its next timeout (measured:
0.25-1.1 s).  A handler that raises may lose what the call had just returned.  So
handlers do nothing, and signal.set_wakeup_fd() puts the number into a pipe that
lies in the same epoll as everything else.
"""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

# What a worker answers by writing the stacks of all its threads to stderr.
DUMP_STACKS = signal.SIGUSR2
# What a busy worker answers by giving its quiet connections to the master.  It does
# nothing by default, so that it may come too late.
RELIEVE = signal.SIGURG
# Those that can be handled, ignored, and reset: signal(2).
CATCHABLE = signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}

Handler = Callable[[int, FrameType | None], None]


def _do_nothing(number: int, frame: FrameType | None) -> None:
    pass


class SignalPipe:
    """The signals that this process wants to hear of, in a pipe.

    A pipe holds 65 536 bytes where a socketpair holds 278; when it is full the
    kernel has the same signals waiting in it already, so nothing is missed.

    `handler` is for what cannot wait until somebody reads the pipe.
    """

    def __init__(
        self, signals: Iterable[int], *, handler: Handler = _do_nothing
    ) -> None:
        self._read_end, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._signals = list(signals)
        self._handler = handler
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in self._signals:
            signal.signal(number, handler)

    def fileno(self) -> int:
        return self._read_end

    def read_signals(self) -> list[int]:
        """The signals that came, in order; [] if none."""
        try:
            return list(os.read(self._read_end, 4096))
        except BlockingIOError:
            return []

    def put_back(self) -> None:
        """Let those that nobody has read be pending again; they must be blocked.

        For exec, which the pipe does not survive.  Twice the same is once, then.
        """
        for number in self.read_signals():
            os.kill(os.getpid(), number)

    def close(self) -> None:
        """Stop listening: used in a child, which shares its parent's pipe."""
        signal.set_wakeup_fd(-1)
        os.close(self._read_end)
        os.close(self._write_end)

    def leave(self) -> None:
        """Close, and have no part in our signals: they do again what they do by
        default, but for those that somebody else handles by now."""
        self.close()
        for number in self._signals:
            if signal.getsignal(number) is self._handler:
                signal.signal(number, signal.SIG_DFL)


@contextmanager
def blocked() -> Iterator[None]:
    """Hold all signals back, and deliver them afterwards.

    For the time round fork(): until the child has its own pipe it shares its
    parent's, and a TERM meant for the child would reach the parent.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# What ends a program.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
# What ends a program by default, and a master obeys in other ways once it runs.
FOR_LATER = (
    signal.SIGHUP,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGTTIN,
    signal.SIGTTOU,
)


def end_quietly() -> None:
    """Until somebody else handles them, have these end us as sys.exit(0) would."""
    for number in ENDING:
        signal.signal(number, _leave)


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def end_at_once() -> dict[int, Handler]:
    """Let them do what they do by default; returns the handlers of before."""
    ours: dict[int, Handler] = {}
    for number in ENDING:
        if callable(handler := signal.getsignal(number)):
            ours[number] = handler
            signal.signal(number, signal.SIG_DFL)
    return ours


def handle_again(handlers: dict[int, Handler]) -> None:
    """Undo end_at_once()."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


def leave_to_master() -> None:
    """Do nothing when they come: all of us have been sent what the master obeys.

    They are not ignored: what an application starts would ignore them as well.
    """
    for number in FOR_LATER:
        signal.signal(number, _do_nothing)


def hold_back() -> None:
    """Have them wait until unblock_all()."""
    signal.pthread_sigmask(signal.SIG_BLOCK, FOR_LATER)


def unblock_all() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, [])


def name_of(number: int) -> str:
    """`SIGTERM` for 15; `signal 77` for a number without a name."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
