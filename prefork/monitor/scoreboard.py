"""The scoreboard: shared memory with one fixed slot a worker.

A memfd that master, templates and workers map.  A slot is 1024 bytes:

    line 0   words  0-15    the worker writes: serial, deadline, counters
    line 1   words 16-47    the worker writes: the request it serves, as text
    line 2   words 48-63    the master writes: pid, generation, condemned serial
    line 3   words 64-127   the worker writes: how many requests took how long

One writer a line, no locks.  `serial` is odd while a request is served, even
between requests: it is written last at the start and last at the end, so that
whoever reads an odd serial, the rest, and the same serial again has read the
rest of one request.  A worker killed in the middle of a write leaves an odd
serial behind, never a lock.

Totals are computed by readers (prefork.monitor.totals).  What a tenant has
counted goes, when its slot is given to the next one, into one slot more, the
master's: so totals never go back, and until then the slot tells of the dead.

Cost: 0.06 µs a word (memoryview of native 64-bit words), about 1 µs a request.
"""

import mmap
import os
from collections.abc import Sequence
from dataclasses import dataclass

SECOND = 10**9  # all times here are nanoseconds
SLOTS = 1024
SLOT_SIZE = 1024
WORD = 8
WORDS = SLOT_SIZE // WORD

SERIAL, STARTED, DEADLINE, REQUESTS, ERRORS, SENT, BUSY, LOBBY, DRAINING = range(9)
TEXT_LENGTH, ENDED, IS_KEEPER, PROGRAM = 10, 11, 12, 13
TEXT = 16 * WORD  # byte offset of line 1
TEXT_SIZE = 32 * WORD
PID, GENERATION, BORN, CONDEMNED = 48, 49, 50, 51
# Bucket n counts the requests that took less than 2**n µs, and not less than half
# of that; the last one would be for those of 300 000 years.
HISTOGRAM, BUCKETS = 64, 64

COUNTERS = slice(REQUESTS, BUSY + 1)
DURATIONS = slice(HISTOGRAM, HISTOGRAM + BUCKETS)

GONE = SLOTS  # the slot of those who are gone; its serial is odd while it is written
USED = 48  # in it: how many slots have ever had a tenant


@dataclass(frozen=True, slots=True)
class Tenant:
    """What a slot says of its worker; times are CLOCK_MONOTONIC nanoseconds."""

    slot: int
    pid: int
    generation: int
    serial: int
    started: int  # of the current request, or of the last one
    deadline: int  # 0: none; now it is the client who keeps us waiting
    requests: int
    errors: int  # answers of 500 or more, or cut by the application; refusals
    busy: int  # nanoseconds spent in requests that are over
    draining: int  # answers that wait for slow readers
    ended: int  # when the last request was over; 0: none has been
    lobby: int  # connections that it keeps
    request: str  # "peer METHOD target"; of the last request when idle
    is_keeper: bool  # of a program that serves: what that does is not known
    program: int  # the pid of it, or of a request's; 0: none runs

    @property
    def is_busy(self) -> bool:
        return self.serial % 2 == 1

    @property
    def serving(self) -> dict[str, str]:
        """What the log says of the request, if there is one; peers may be nameless."""
        return {"request": self.request.lstrip(" ")} if self.is_busy else {}


class Scoreboard:
    """The whole memory; each process takes the slots it needs."""

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _create() if descriptor is None else descriptor
        self._memory = mmap.mmap(self.descriptor, (SLOTS + 1) * SLOT_SIZE)
        self._words = memoryview(self._memory).cast("Q")

    def worker_slot(self, slot: int) -> "WorkerSlot":
        start = slot * SLOT_SIZE
        return WorkerSlot(memoryview(self._memory)[start : start + SLOT_SIZE])

    def read(self, slot: int) -> Tenant:
        """A consistent picture of one slot; at worst, after 8 tries, a torn one."""
        words = self._words[slot * WORDS : (slot + 1) * WORDS]
        for _ in range(8):
            serial = words[SERIAL]
            tenant = self._read_once(slot, words)
            if words[SERIAL] == serial:
                break
        return tenant

    def _read_once(self, slot: int, words: memoryview) -> Tenant:
        start = slot * SLOT_SIZE + TEXT
        length = min(words[TEXT_LENGTH], TEXT_SIZE)
        return Tenant(
            slot=slot,
            pid=words[PID],
            generation=words[GENERATION],
            serial=words[SERIAL],
            started=words[STARTED],
            deadline=words[DEADLINE],
            requests=words[REQUESTS],
            errors=words[ERRORS],
            busy=words[BUSY],
            draining=words[DRAINING],
            ended=words[ENDED],
            lobby=words[LOBBY],
            request=self._memory[start : start + length].decode("latin-1"),
            is_keeper=bool(words[IS_KEEPER]),
            program=words[PROGRAM],
        )

    def admit(self, slot: int, *, generation: int, now: int) -> None:
        """Clear a slot for its next worker; by the master, before the fork."""
        start = slot * SLOT_SIZE
        words = self._words[slot * WORDS : (slot + 1) * WORDS]
        gone = self._words[GONE * WORDS :]
        gone[SERIAL] += 1
        if words[REQUESTS] or words[ERRORS]:
            for line in (COUNTERS, DURATIONS):
                _add(gone[line], words[line])
        self._memory[start : start + SLOT_SIZE] = bytes(SLOT_SIZE)
        gone[USED] = max(gone[USED], slot + 1)
        gone[SERIAL] += 1
        words[GENERATION], words[BORN] = generation, now

    def read_counters(self) -> tuple[Sequence[int], Sequence[int]]:
        """What all tenants ever have counted, the dead too: COUNTERS, DURATIONS.

        At worst, after 8 tries, someone who is leaving is counted twice, or not.
        """
        gone = self._words[GONE * WORDS :]
        for _ in range(8):
            serial = gone[SERIAL]
            sums = self._sum(COUNTERS), self._sum(DURATIONS)
            if serial % 2 == 0 and gone[SERIAL] == serial:
                break
        return sums

    def _sum(self, line: slice) -> Sequence[int]:
        words = self._words
        slots = (*range(words[GONE * WORDS + USED]), GONE)
        lines = (words[s * WORDS + line.start : s * WORDS + line.stop] for s in slots)
        return [sum(column) for column in zip(*lines, strict=True)]

    def inherit(self) -> None:
        """Go on counting where a master that has crashed was interrupted."""
        gone = self._words[GONE * WORDS :]
        gone[SERIAL] += gone[SERIAL] % 2
        for slot in range(gone[USED]):
            self.admit(slot, generation=0, now=0)

    def write_pid(self, slot: int, pid: int) -> None:
        self._words[slot * WORDS + PID] = pid

    def condemn(self, slot: int, serial: int) -> bool:
        """Announce that request `serial` will be killed; is it still running?

        The worker looks here after each request (WorkerSlot.is_condemned), so a
        kill that comes too late never hits the request after.
        """
        self._words[slot * WORDS + CONDEMNED] = serial
        return bool(self._words[slot * WORDS + SERIAL] == serial)


def _create() -> int:
    descriptor = os.memfd_create("prefork-scoreboard", os.MFD_CLOEXEC)
    os.ftruncate(descriptor, (SLOTS + 1) * SLOT_SIZE)
    return descriptor


def _add(sums: memoryview, words: memoryview) -> None:
    for index, word in enumerate(words):
        sums[index] += word


class WorkerSlot:
    """The lines of one slot, as its worker writes them: called twice a request."""

    __slots__ = ("_bytes", "_serial", "_words")

    def __init__(self, lines: memoryview) -> None:
        self._bytes = lines
        self._words = lines.cast("Q")
        self._serial = self._words[SERIAL]

    def begin(self, request: bytes, *, now: int, deadline: int) -> None:
        """A request starts; times in nanoseconds, `deadline` 0 for none."""
        words = self._words
        length = len(request)
        if length > TEXT_SIZE:
            request, length = request[:TEXT_SIZE], TEXT_SIZE
        self._bytes[TEXT : TEXT + length] = request
        words[TEXT_LENGTH] = length
        words[STARTED] = now
        words[DEADLINE] = deadline
        self._serial += 1
        words[SERIAL] = self._serial

    def end(self, *, now: int, sent: int) -> None:
        words = self._words
        took = max(0, now - words[STARTED])  # an application may fake the clock
        words[DEADLINE] = 0
        words[REQUESTS] += 1
        words[SENT] += sent
        words[BUSY] += took
        words[ENDED] = now
        words[HISTOGRAM + (took // 1000).bit_length()] += 1
        self._serial += 1
        words[SERIAL] = self._serial

    def postpone(self, deadline: int) -> None:
        """Move the deadline: 0 while it is the client who keeps us waiting."""
        self._words[DEADLINE] = deadline

    def deadline(self) -> int:
        return int(self._words[DEADLINE])

    def started(self) -> int:
        return int(self._words[STARTED])

    def is_condemned(self) -> bool:
        """Did the master resolve to kill the request that has just ended?"""
        return bool(self._words[CONDEMNED] == self._serial - 1)

    def count_error(self) -> None:
        """The application failed, or a request was refused before it."""
        self._words[ERRORS] += 1

    def keep_waiting(self, lobby: int) -> None:
        """So many connections are in the lobby while a request is served."""
        self._words[LOBBY] = lobby

    def keep(self, program: int) -> None:
        """A program serves in our place; 0: it has ended."""
        self._words[IS_KEEPER], self._words[PROGRAM] = 1, program

    def run(self, program: int) -> None:
        """A program runs for the request; 0: it has ended."""
        self._words[PROGRAM] = program

    def program(self) -> int:
        return int(self._words[PROGRAM])

    def report(self, lobby: int, draining: int) -> None:
        """How many connections are in the lobby, how many of them take answers."""
        self._words[LOBBY], self._words[DRAINING] = lobby, draining
