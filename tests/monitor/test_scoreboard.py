"""prefork.monitor.scoreboard: one writer a line, no locks."""

import itertools
import mmap
import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest
from serving import eventually

from prefork.monitor.scoreboard import SLOTS, TEXT_SIZE, Scoreboard, Tenant, WorkerSlot

SLOT = 3


@pytest.fixture
def scoreboard() -> Iterator[Scoreboard]:
    scoreboard = Scoreboard()
    yield scoreboard
    os.close(scoreboard.descriptor)


@pytest.fixture
def slot(scoreboard: Scoreboard) -> WorkerSlot:
    """The slot as its worker has it."""
    scoreboard.admit(SLOT, generation=7, now=50)
    scoreboard.write_pid(SLOT, 812)
    return scoreboard.worker_slot(SLOT)


def nobody(*, generation: int) -> Tenant:
    numbers = dict.fromkeys(Tenant.__slots__, 0)
    return Tenant(**{**numbers, "slot": SLOT, "generation": generation, "request": ""})


def test_an_empty_slot_says_nothing(scoreboard: Scoreboard) -> None:
    assert scoreboard.read(SLOT) == nobody(generation=0)


def test_a_request_can_be_seen_while_it_runs(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    slot.begin(b"10.0.0.1 GET /path", now=100, deadline=130)
    tenant = scoreboard.read(SLOT)
    assert tenant.is_busy
    assert (tenant.pid, tenant.generation) == (812, 7)
    assert (tenant.started, tenant.deadline) == (100, 130)
    assert tenant.request == "10.0.0.1 GET /path"


def test_what_was_done_is_counted(scoreboard: Scoreboard, slot: WorkerSlot) -> None:
    for begin, end in ((100, 130), (200, 207)):
        slot.begin(b"GET", now=begin, deadline=0)
        slot.end(now=end, sent=1000)
    slot.count_error()
    tenant = scoreboard.read(SLOT)
    assert not tenant.is_busy
    assert (tenant.requests, tenant.errors, tenant.busy) == (2, 1, 37)


def test_the_last_request_stays_to_be_read(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    slot.begin(b"GET /a/long/path", now=100, deadline=0)
    slot.end(now=130, sent=0)
    assert scoreboard.read(SLOT).request == "GET /a/long/path"
    slot.begin(b"GET /", now=200, deadline=0)
    assert scoreboard.read(SLOT).request == "GET /"


def test_the_log_is_told_of_a_request_while_there_is_one(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    """And of no peer where it has no name, as on a unix socket."""
    for request, told in ((b"10.0.0.1 GET /", "10.0.0.1 GET /"), (b" GET /", "GET /")):
        slot.begin(request, now=1, deadline=0)
        assert scoreboard.read(SLOT).serving == {"request": told}
        slot.end(now=2, sent=0)
        assert scoreboard.read(SLOT).serving == {}


@pytest.mark.parametrize("size", [TEXT_SIZE - 1, TEXT_SIZE, TEXT_SIZE + 1, 8000])
def test_a_long_request_is_cut(
    scoreboard: Scoreboard, slot: WorkerSlot, size: int
) -> None:
    text = (b"0123456789" * 1000)[:size]
    slot.begin(text, now=1, deadline=2)
    tenant = scoreboard.read(SLOT)
    assert tenant.request == text[:TEXT_SIZE].decode()
    assert (tenant.pid, tenant.started, tenant.deadline) == (812, 1, 2)


def test_neighbours_do_not_touch(scoreboard: Scoreboard, slot: WorkerSlot) -> None:
    for neighbour in (SLOT - 1, SLOT + 1):
        scoreboard.admit(neighbour, generation=1, now=0)
        scoreboard.worker_slot(neighbour).begin(b"x" * 9999, now=9, deadline=9)
    assert scoreboard.read(SLOT).request == ""
    assert scoreboard.read(SLOT).pid == 812


def test_the_last_slot_is_a_slot(scoreboard: Scoreboard) -> None:
    scoreboard.worker_slot(SLOTS - 1).begin(b"last", now=1, deadline=0)
    assert scoreboard.read(SLOTS - 1).request == "last"


def test_whoever_has_the_descriptor_sees_the_same(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    slot.begin(b"GET /", now=1, deadline=0)
    assert Scoreboard(scoreboard.descriptor).read(SLOT).request == "GET /"


def test_the_descriptor_is_closed_by_exec(scoreboard: Scoreboard) -> None:
    assert not os.get_inheritable(scoreboard.descriptor)


def test_a_slot_is_clean_for_its_next_worker(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    slot.begin(b"GET /deadly", now=100, deadline=130)
    scoreboard.condemn(SLOT, scoreboard.read(SLOT).serial)
    scoreboard.admit(SLOT, generation=8, now=200)
    tenant = scoreboard.read(SLOT)
    assert tenant == nobody(generation=8)
    successor = scoreboard.worker_slot(SLOT)
    successor.begin(b"GET /", now=210, deadline=0)
    assert scoreboard.read(SLOT).is_busy
    successor.end(now=220, sent=0)
    assert not successor.is_condemned()


def test_a_deadline_can_be_moved(scoreboard: Scoreboard, slot: WorkerSlot) -> None:
    slot.begin(b"GET /", now=100, deadline=130)
    slot.postpone(0)
    assert scoreboard.read(SLOT).deadline == slot.deadline() == 0
    slot.postpone(150)
    assert scoreboard.read(SLOT).deadline == slot.deadline() == 150


# Condemned


def test_a_request_that_runs_can_be_condemned(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    slot.begin(b"GET /slow", now=100, deadline=130)
    assert scoreboard.condemn(SLOT, scoreboard.read(SLOT).serial)
    slot.end(now=140, sent=0)
    assert slot.is_condemned()


def test_a_verdict_on_one_that_is_over_is_too_late(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    """Behaviour 69: the worker has looked already, so nobody may be killed."""
    slot.begin(b"GET /slow", now=100, deadline=130)
    serial = scoreboard.read(SLOT).serial
    slot.end(now=131, sent=0)
    assert not slot.is_condemned()
    slot.begin(b"GET /next", now=132, deadline=162)
    assert not scoreboard.condemn(SLOT, serial)
    slot.end(now=133, sent=0)
    assert not slot.is_condemned()


def test_a_verdict_is_for_one_request(scoreboard: Scoreboard, slot: WorkerSlot) -> None:
    """Behaviour 69: never for the one after it."""
    slot.begin(b"GET /slow", now=100, deadline=130)
    scoreboard.condemn(SLOT, scoreboard.read(SLOT).serial)
    slot.end(now=140, sent=0)
    for now in (150, 160):
        slot.begin(b"GET /next", now=now, deadline=0)
        slot.end(now=now, sent=0)
        assert not slot.is_condemned()


def test_nobody_is_born_condemned(slot: WorkerSlot) -> None:
    assert not slot.is_condemned()
    slot.begin(b"GET /", now=1, deadline=0)
    slot.end(now=1, sent=0)
    assert not slot.is_condemned()


# With a real writer


Fork = Callable[[Callable[[], object]], int]


@pytest.fixture
def fork() -> Iterator[Fork]:
    """Run a function in a child, which is killed in the end."""
    pids: list[int] = []

    def fork(work: Callable[[], object]) -> int:
        pid = os.fork()
        if not pid:
            try:
                work()
            finally:
                os._exit(0)
        pids.append(pid)
        return pid

    yield fork
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


class Writer:
    """Serves requests whose number is their text, start and deadline."""

    def __init__(self, slot: WorkerSlot) -> None:
        self._slot = slot

    def serve(self) -> None:
        for number in itertools.count(1):
            self._slot.begin(b"%0250d" % number, now=number, deadline=number)
            sum(range(2000))  # some 20 µs: an application does more
            self._slot.end(now=number, sent=1)


def is_whole(tenant: Tenant) -> bool:
    """Is it a picture of one request?  Only of one that runs this is promised."""
    return not tenant.is_busy or (
        tenant.deadline in (0, tenant.started)
        and int(tenant.request) == tenant.started == (tenant.serial + 1) // 2
    )


@pytest.mark.process
def test_a_running_request_is_read_whole(
    scoreboard: Scoreboard, slot: WorkerSlot, fork: Fork
) -> None:
    """Behaviour 70: and what is counted only grows."""
    fork(Writer(slot).serve)
    until, pictures = time.monotonic() + 0.5, [scoreboard.read(SLOT)]
    while time.monotonic() < until or not pictures[-1].requests:
        pictures.append(scoreboard.read(SLOT))
    torn = [tenant for tenant in pictures if not is_whole(tenant)]
    # A reader that is interrupted in each of its 8 tries gets a torn picture.
    assert len(torn) <= len(pictures) / 1000, torn[:3]
    requests = [tenant.requests for tenant in pictures]
    assert requests == sorted(requests)


@pytest.mark.process
def test_a_writer_that_is_killed_leaves_no_lock(
    scoreboard: Scoreboard, fork: Fork
) -> None:
    """Behaviour 71: at whatever point of its writing."""
    for number in range(30):
        scoreboard.admit(SLOT, generation=1, now=0)
        pid = fork(Writer(scoreboard.worker_slot(SLOT)).serve)
        eventually(lambda n=number: scoreboard.read(SLOT).requests > n)
        os.kill(pid, signal.SIGKILL)
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        before = time.monotonic()
        tenant = scoreboard.read(SLOT)
        assert time.monotonic() - before < 5
        assert is_whole(tenant)


@pytest.mark.process
def test_no_verdict_hits_the_wrong_request(scoreboard: Scoreboard, fork: Fork) -> None:
    """Behaviour 69: a judge who is always late, and a worker who never waits.

    The worker notes each request after which it did not find itself condemned: it
    would have gone on from there, so a verdict that holds must not be on one.
    """
    went_on = mmap.mmap(-1, 1 << 17)

    def serve() -> None:
        slot = scoreboard.worker_slot(SLOT)
        for serial in range(1, len(went_on), 2):
            slot.begin(b"GET /", now=1, deadline=1)
            slot.end(now=2, sent=0)
            went_on[serial] = not slot.is_condemned()

    def judge() -> list[int]:
        """The verdicts that held: none, if there was a pause as long as the work."""
        scoreboard.admit(SLOT, generation=1, now=0)
        pid, held = fork(serve), []
        while not os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG):
            serial = scoreboard.read(SLOT).serial
            if serial % 2 and scoreboard.condemn(SLOT, serial):
                held.append(serial)
        return held

    held = eventually(judge)
    assert [serial for serial in held if went_on[serial]] == []


def test_a_keeper_says_which_program_serves_in_its_place(
    scoreboard: Scoreboard, slot: WorkerSlot
) -> None:
    slot.keep(4711)
    assert scoreboard.read(SLOT).is_keeper
    assert scoreboard.read(SLOT).program == 4711
    slot.keep(0)
    assert scoreboard.read(SLOT).is_keeper
    assert scoreboard.read(SLOT).program == 0


def test_counts_go_on_after_a_crash(scoreboard: Scoreboard, slot: WorkerSlot) -> None:
    """Whoever was busy then is busy no more, and nothing is counted twice."""
    slot.begin(b"peer GET /", now=1000, deadline=0)
    slot.end(now=2000, sent=7)
    slot.begin(b"peer GET /", now=3000, deadline=0)
    before = scoreboard.read_counters()
    heir = Scoreboard(os.dup(scoreboard.descriptor))
    heir.inherit()
    assert heir.read_counters() == before
    assert not heir.read(SLOT).is_busy
    os.close(heir.descriptor)
