"""The entrance: the doors of a worker, and the rules for opening them.

Some facts about EPOLLEXCLUSIVE, which wakes one of the workers that wait for a
listener, and what follows from them:

* It always wakes the one who stands first in the listener's queue, and having
  been woken does not move a worker to its end: one of six got 120 of 120
  connections.  So a door is taken out and put back when it has woken us, which
  moves us to the end: no wake-up in vain, for 2 system calls.  Clients that stay,
  silent or kept alive, are shared out one by one; those who leave with their
  answer tie nobody down, and come in eights.  A worker that found a request
  waiting was not woken, and stands where it stood.
* A worker that was woken and does not accept keeps the connection from its idle
  siblings.  So one that has a request to serve first rings the bell: an eventfd
  that all workers watch in the same way.  If somebody still stands there when that
  request is served, nobody is idle, and it accepts: kept-alive clients who always
  have another request must not keep the others out.
* A worker that was woken and dies before it accepts does so too.  So an idle
  worker tries its doors twice a second without being asked.
"""

import errno
import os
import select
import time
from collections import Counter
from collections.abc import Callable, Sequence

from prefork.worker.doors import Door

PAUSE_WHEN_FULL = 0.2  # seconds without accepting when descriptors have run out
OUT_OF_DESCRIPTORS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
# Seconds that a handshake may still take that had begun before the door was closed:
# its connection is queued after the others have been taken in.
LATECOMERS = 0.1
IN_A_ROW = 8  # clients who do not stay, before it is a sibling's turn
EVENTS = select.EPOLLIN | select.EPOLLEXCLUSIVE


class Entrance:
    """Accepts one connection a turn, and none while a request is served.

    Opened once, closed once; a canary may be closed without having been opened.
    `welcome(fd, door, remote)` takes each connection in; `make_room()` frees a
    descriptor and tells whether it could.
    """

    def __init__(
        self,
        epoll: select.epoll,
        doors: Sequence[Door],
        bell: int,
        *,
        welcome: Callable[[int, Door, dict[str, str]], None],
        make_room: Callable[[], bool],
        notice: Callable[..., None],
    ) -> None:
        self._epoll = epoll
        self._doors = {door.fd: door for door in doors}
        self._bell = bell
        self._welcome = welcome
        self._make_room = make_room
        self._notice = notice
        self._paused_until = 0.0
        self.is_open = False
        self.is_closed = False  # for good
        self.is_drained = False  # closed, and nothing left outside
        self.has_more = True  # somebody stood outside at the last look
        self._wait_until = 0.0  # for latecomers
        self._has_rung = False  # in the last turn, for somebody we had no time for
        self._in_a_row = Counter[int]()  # by door: who came since we made way

    def open(self) -> None:
        """Accept connections from now on."""
        if not self.is_open and not self.is_closed:
            self.is_open = True
            for fd in self.descriptors():
                self._epoll.register(fd, EVENTS)

    def descriptors(self) -> list[int]:
        return [*self._doors, self._bell]

    def choose(self, fds: Sequence[int]) -> int:
        """Of several that can be read, the one whose turn it is."""
        return next((fd for fd in self._doors if fd in fds), fds[0])

    def answer(self, fd: int, *, is_busy: bool) -> None:
        """A door, or the bell, can be read: accept, unless we are to be busy."""
        if is_busy and not self._has_rung:
            os.eventfd_write(self._bell, 1)  # for an idle sibling
            self._has_rung = True
            return
        self._has_rung = False
        if fd == self._bell:
            self._stop_the_bell()
            self.try_one()
        elif door := self._doors.get(fd):
            self._accept_from(door)

    def hear_nobody(self) -> None:
        """No door was readable in this turn: if we had rung, somebody has come."""
        self._has_rung = False

    def make_way(self, fd: int, *, stays: bool) -> None:
        """Go to the end of a door's queue: the next one is for a sibling.

        Not each time, unless the one for whom we were woken `stays` with us.
        """
        self._in_a_row[fd] += 1
        if not stays and self._in_a_row[fd] < IN_A_ROW:
            return
        self._in_a_row[fd] = 0
        if fd in self._doors and self.is_open and not self._paused_until:
            self._epoll.unregister(fd)
            self._epoll.register(fd, EVENTS)

    def _stop_the_bell(self) -> None:
        os.set_blocking(self._bell, False)  # the application may have cleared it
        try:
            os.eventfd_read(self._bell)
        except BlockingIOError:
            pass  # a sibling was faster

    def try_one(self) -> bool:
        """Accept one connection if any door has one."""
        return any(self._accept_from(door) for door in list(self._doors.values()))

    def _accept_from(self, door: Door) -> bool:
        try:
            fd, remote = door.accept()
        except BlockingIOError:
            return False
        except OSError as error:
            return self._could_not_accept(error)
        if len(self._doors) > 1:  # the others come first now
            self._doors[door.fd] = self._doors.pop(door.fd)
        self._welcome(fd, door, remote)
        return True

    def _could_not_accept(self, error: OSError) -> bool:
        """Is another try worth it?  (accept(2), ERRORS.)"""
        if error.errno in OUT_OF_DESCRIPTORS:
            if not self._make_room():
                self._pause()
            self._notice("cannot accept", error=error.strerror)
            return False
        # EINVAL: shut by the master, and empty (system/closing.py).
        # Others, as ECONNABORTED, are the fault of a client that is gone.
        return error.errno != errno.EINVAL

    def _pause(self) -> None:
        if self.is_open and not self._paused_until:
            for fd in self._doors:
                self._epoll.unregister(fd)
        self._paused_until = time.monotonic() + PAUSE_WHEN_FULL

    def resume_if_due(self, now: float) -> None:
        if 0.0 < self._paused_until <= now:
            self._paused_until = 0.0
            for fd in self._doors if self.is_open else ():
                self._epoll.register(fd, EVENTS)

    def close(self, *, drain: bool) -> None:
        """Stop listening.

        `drain`: everyone outside is still to be taken in, by drain_one().  Otherwise
        one for each door is taken in here: the kernel may have woken us, and nobody
        else, for that one.
        """
        was_open, self.is_open = self.is_open, False
        self.is_closed = True
        for fd in self.descriptors() if was_open else ():
            if fd == self._bell or not self._paused_until:
                self._epoll.unregister(fd)
        if not drain:
            for door in list(self._doors.values()) if was_open else ():
                self._accept_from(door)
            self._doors.clear()
        if any(not door.is_unix for door in self._doors.values()):
            self._wait_until = time.monotonic() + LATECOMERS

    def drain_one(self) -> None:
        """After close(): one connection more, or the end of them."""
        self.has_more = self.try_one()
        self.is_drained = not self.has_more and time.monotonic() >= self._wait_until
