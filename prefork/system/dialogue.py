"""The asking side of one conversation: sends and hears at once, and in time.

It goes on hearing while it sends, because a server may answer before it has read the
whole request, and then waits for us as we would wait for it.
"""

import os
import select
import time
from collections.abc import Callable, Iterator

from prefork.errors import TimedOut

PIECE = 65536  # bytes


class Dialogue:
    """Descriptors to hear from, and one to send to, which may be one of them.

    `hang_up` is called once everything has been sent.
    """

    def __init__(
        self,
        *hears: int,
        sends: int,
        until: float,
        hang_up: Callable[[], None] | None = None,
    ) -> None:
        self._hears = set(hears)
        self._sends = sends
        self._until = until  # monotonic
        self._hang_up = hang_up
        self._out = bytearray()
        self.was_reset = False  # what was heard last may not have been all
        for fd in {*hears, sends}:
            os.set_blocking(fd, False)

    def say(self, data: bytes) -> None:
        """Send this, as soon as the other side takes it."""
        self._out += data

    def listen(self) -> Iterator[tuple[int, bytes]]:
        """What is heard, and on which descriptor; b"" is its end.  TimedOut."""
        while self._hears:
            if self._hang_up is not None and not self._out:
                self._hang_up()
                self._hang_up = None
            for fd, event in self._wait():
                if fd == self._sends and self._out and event & ~select.POLLIN:
                    self._send()
                if fd in self._hears and event & ~select.POLLOUT:
                    yield from self._hear(fd)

    def _wait(self) -> list[tuple[int, int]]:
        wanted = dict.fromkeys(self._hears, select.POLLIN)
        if self._out:
            wanted[self._sends] = wanted.get(self._sends, 0) | select.POLLOUT
        poll = select.poll()
        for fd, events in wanted.items():
            poll.register(fd, events)
        ready = poll.poll(max(0.0, self._until - time.monotonic()) * 1000)
        if not ready:
            raise TimedOut("no whole answer in time")
        return ready

    def _send(self) -> None:
        try:
            sent = os.write(self._sends, self._out[:PIECE])
            del self._out[:sent]
        except BlockingIOError:
            return
        except OSError as error:  # it takes no more, but may have answered
            self._out.clear()
            # The system tells of a reset once, here or when we read.
            self.was_reset |= isinstance(error, ConnectionResetError)

    def _hear(self, fd: int) -> Iterator[tuple[int, bytes]]:
        try:
            data = os.read(fd, PIECE)
        except BlockingIOError:
            return
        except OSError:
            data, self.was_reset = b"", True
        if not data:
            self._hears.remove(fd)
        yield fd, data
