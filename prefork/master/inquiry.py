"""An inquiry: a child is asked what might fail or hang in the master."""

import os
import signal
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from prefork.master.reactor import Reactor
from prefork.system.processes import describe_exit, spawn

# Bytes of what it says, or complains; the rest is not read.  Settings have room: of
# the longest file (config/file.py) each character has twelve in JSON at worst.
LONGEST_OUTPUT = 16 << 20


@dataclass(frozen=True, slots=True)
class Answer:
    """What the child has left behind."""

    said: str  # on stdout
    complaint: str  # why it came to nothing; empty if it did not
    code: int  # its exit, as os.waitstatus_to_exitcode gives it
    is_overdue: bool


class Inquiry:
    """One run of `python -m module arguments`; `done(answer)` once it is reaped.

    `lend` are descriptors that the child inherits, under the same numbers.  Raises
    OSError when the system cannot start another process.
    """

    def __init__(
        self,
        module: str,
        arguments: Sequence[str],
        reactor: Reactor,
        done: Callable[[Answer], None],
        *,
        timeout: float,
        lend: Collection[int] = (),
    ) -> None:
        self._reactor = reactor
        self._done = done
        self.deadline = time.monotonic() + timeout
        self._is_overdue = False
        self._outputs: dict[int, bytes] = {}
        self.pid = self._start(module, arguments, lend)
        for read_end in self._outputs:
            reactor.watch(read_end, lambda fd=read_end: self._read(fd))  # type: ignore[misc]

    def _start(
        self, module: str, arguments: Sequence[str], lend: Collection[int]
    ) -> int:
        """Start the child, with pipes for what it says; OSError leaves nothing open."""
        descriptors = {fd: fd for fd in lend}
        theirs: list[int] = []
        try:
            for number in (1, 2):
                read_end, write_end = os.pipe2(os.O_CLOEXEC)
                os.set_blocking(read_end, False)
                self._outputs[read_end] = b""
                theirs.append(write_end)
                descriptors[write_end] = number
            return spawn(module, arguments, descriptors=descriptors)
        except OSError:
            for read_end in self._outputs:
                os.close(read_end)
            raise
        finally:
            for write_end in theirs:
                os.close(write_end)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, 65536)
        except BlockingIOError:
            return
        if data and len(self._outputs[fd]) < LONGEST_OUTPUT:
            self._outputs[fd] += data
        else:
            self._reactor.unwatch(fd)

    def give_up(self) -> None:
        """End the child: it is overdue, or nobody wants to know any more."""
        self._is_overdue = True
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Listen no more."""
        for fd in self._outputs:
            self._reactor.unwatch(fd)
            os.close(fd)

    def exited(self, code: int) -> None:
        """The child was reaped: what has it found?"""
        for fd in self._outputs:
            self._read(fd)
        self.close()
        outputs = (each.decode(errors="replace") for each in self._outputs.values())
        said, complaint = outputs
        if code and not complaint.strip():
            complaint = f"the check ended with {describe_exit(code)}"
        self._done(Answer(said, complaint.strip(), code, self._is_overdue))
