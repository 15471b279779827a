"""CHECK: read a new configuration in a child, so that it can break nothing."""

import os
import signal
import time
from collections.abc import Callable, Sequence

from prefork.master.reactor import Reactor
from prefork.settings import Settings, from_json
from prefork.system.processes import describe_exit, spawn

CHECK_MODULE = "prefork.cli.resolve"
TIMEOUT = 10.0  # seconds
LONGEST_OUTPUT = 1 << 20  # bytes of settings or complaints; the rest is not read


class Check:
    """One run of the child; `done(settings, "")` or `done(None, complaint)`.

    Raises OSError when the system cannot start another process.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        reactor: Reactor,
        done: Callable[[Settings | None, str, int], None],
    ) -> None:
        self._reactor = reactor
        self._done = done
        self.deadline = time.monotonic() + TIMEOUT
        self._is_overdue = False
        self._outputs: dict[int, bytes] = {}
        self.pid = self._start(arguments)
        for read_end in self._outputs:
            reactor.watch(read_end, lambda fd=read_end: self._read(fd))  # type: ignore[misc]

    def _start(self, arguments: Sequence[str]) -> int:
        """Start the child, with pipes for what it says; OSError leaves nothing open."""
        theirs: dict[int, int] = {}
        try:
            for number in (1, 2):
                read_end, write_end = os.pipe2(os.O_CLOEXEC)
                os.set_blocking(read_end, False)
                self._outputs[read_end] = b""
                theirs[write_end] = number
            return spawn(CHECK_MODULE, arguments, descriptors=theirs)
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
        settings_text, complaint = (
            o.decode(errors="replace") for o in self._outputs.values()
        )
        if code == 0:
            self._done(from_json(settings_text), "", 0)
        elif self._is_overdue:
            self._done(None, f"the configuration was not read in {TIMEOUT:g} s", 78)
        else:
            reason = complaint.strip() or f"the check ended with {describe_exit(code)}"
            self._done(None, reason, code)
