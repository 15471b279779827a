"""prefork.master.worker_exit: how it ended, and whose fault that was."""

import os
from collections.abc import Iterator

import pytest

from prefork.master.roster import Member
from prefork.master.states import State
from prefork.master.worker_exit import OUT_OF_MEMORY, WorkerExit
from prefork.monitor.log import Log
from prefork.monitor.outlet import Outlet
from prefork.monitor.scoreboard import SECOND, Scoreboard

NOW = 1000.0


def worker_exit(
    *,
    state: State = State.SERVING,
    how: str = "SIGSEGV",
    because: str = "",
    requests: int = 0,
    uptime: float = 1.0,
    current: bytes = b"",
    running: float = 0.0,
    is_keeper: bool = False,
) -> WorkerExit:
    """The end of worker 3, which was born `uptime` seconds ago."""
    scoreboard = Scoreboard()
    slot = scoreboard.worker_slot(3)
    for _ in range(requests):
        slot.begin(b"10.0.0.1 GET /before", now=0, deadline=0)
        slot.end(now=0, sent=0)
    if current:
        slot.begin(current, now=int((NOW - running) * SECOND), deadline=0)
    if is_keeper:
        slot.keep(0)
    member = Member(3, 7, NOW - uptime, 0.0, 60.0, 30.0, pid=812, state=state)
    member.ready_at = NOW - uptime
    member.killed_because = because
    tenant = scoreboard.read(3)
    os.close(scoreboard.descriptor)
    return WorkerExit(member, tenant, state, how, NOW)


@pytest.mark.parametrize(
    ("blamed", "end"),
    [
        (False, {"state": State.RETIRING, "how": "exit code 0"}),
        (True, {"state": State.RETIRING, "how": "SIGSEGV"}),
        (True, {"state": State.RETIRING, "how": "exit code 3"}),
        (False, {"state": State.KILLED, "how": "SIGKILL"}),
        (True, {"state": State.KILLED, "because": "over its boot timeout"}),
        (True, {"state": State.ABORTED, "because": "request over its deadline"}),
        (True, {"state": State.SERVING, "how": "exit code 0"}),
        (True, {"state": State.BOOTING, "how": "exit code 1"}),
        (True, {"state": State.ORDERED, "how": "was never forked"}),
    ],
)
def test_only_who_was_to_leave_is_not_blamed(blamed: bool, end: dict) -> None:
    assert worker_exit(**end).is_blamed is blamed


@pytest.mark.parametrize(
    ("failed", "end"),
    [
        (True, {"state": State.SERVING}),
        (True, {"state": State.RETIRING, "how": "SIGSEGV"}),
        (True, {"state": State.ABORTED, "because": "request over its deadline"}),
        (False, {"state": State.KILLED, "because": "over its graceful timeout"}),
        (False, {"state": State.ABORTED, "because": "stopped at once"}),
        (False, {"state": State.RETIRING, "how": "exit code 0"}),
    ],
)
def test_who_had_to_leave_in_the_middle_has_not_failed(failed: bool, end: dict) -> None:
    """Neither its code, nor the request that it had: behaviours 20 and 25."""
    assert worker_exit(**end).is_failure is failed


@pytest.mark.parametrize(
    ("cause", "end"),
    [
        ("exit code 3", {"how": "exit code 3"}),
        ("SIGKILL from outside", {"how": "SIGKILL"}),
        ("crashed: SIGSEGV", {"how": "SIGSEGV"}),
        ("crashed: SIGABRT", {"how": "SIGABRT"}),
        (OUT_OF_MEMORY, {"how": OUT_OF_MEMORY}),
        (
            "killed by prefork: request over its 30 s deadline",
            {"how": "SIGKILL", "because": "request over its 30 s deadline"},
        ),
        (
            "killed by prefork: over its boot timeout",
            {"how": "SIGABRT", "because": "over its boot timeout"},
        ),
        ("was never forked", {"how": "was never forked"}),
    ],
)
def test_says_who_did_it(cause: str, end: dict) -> None:
    assert worker_exit(**end).cause == cause


@pytest.mark.parametrize(
    ("proven", "end"),
    [
        (False, {"requests": 0, "uptime": 0.5}),
        (False, {"requests": 1, "uptime": 0.5}),  # behaviour 15
        (True, {"requests": 100, "uptime": 0.5}),
        (True, {"requests": 0, "uptime": 60.0}),
    ],
)
def test_whoever_has_served_well_is_proven(proven: bool, end: dict) -> None:
    assert worker_exit(**end).is_proven is proven


def test_a_request_that_it_served_was_cut() -> None:
    assert worker_exit(current=b"10.0.0.1 GET /deadly").unanswered == 1
    assert worker_exit(requests=5).unanswered == 0


def test_knows_how_long_the_request_has_run() -> None:
    cut = worker_exit(current=b"10.0.0.1 GET /deadly", running=2.5)
    assert cut.request_seconds == pytest.approx(2.5)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def logged(end: WorkerExit, pipe: tuple[int, int]) -> str:
    outlet = Outlet(pipe[1])
    end.log(Log(outlet))
    outlet.close()
    return os.read(pipe[0], 65536).decode()


def test_the_log_names_the_request_it_died_in(pipe: tuple[int, int]) -> None:
    """Behaviour 12: method and path are in the log."""
    line = logged(
        worker_exit(requests=41, current=b"10.0.0.1 GET /deadly", running=2.5), pipe
    )
    assert "error lost worker" in line
    assert 'cause="crashed: SIGSEGV"' in line
    assert "worker=3 pid=812 generation=7 uptime=1.0 requests=41" in line
    assert 'request="10.0.0.1 GET /deadly" request_seconds=2.5' in line


def test_an_idle_worker_died_in_no_request(pipe: tuple[int, int]) -> None:
    """Behaviour 11: the exit's reason is in the log."""
    line = logged(worker_exit(requests=41, how="SIGKILL"), pipe)
    assert "SIGKILL" in line
    assert "request=" not in line


def test_whoever_retired_is_no_error(pipe: tuple[int, int]) -> None:
    line = logged(worker_exit(state=State.RETIRING, how="exit code 0"), pipe)
    assert "info retired worker" in line


def test_one_that_was_never_forked_has_no_pid(pipe: tuple[int, int]) -> None:
    end = worker_exit(state=State.KILLED, how="was not registered in time")
    end.member.pid = 0
    assert "retired worker worker=3 generation=7" in logged(end, pipe)


def test_a_program_that_leaves_well_and_too_early_is_told_what_it_may_have_done() -> (
    None
):
    end = worker_exit(how="exit code 0", is_keeper=True)
    assert end.cause.startswith("exit code 0 too early (a program that goes into")
    assert worker_exit(how="exit code 0").cause == "exit code 0"
    assert worker_exit(how="exit code 3", is_keeper=True).cause == "exit code 3"
