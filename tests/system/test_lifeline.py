"""prefork.system.lifeline: the end of a pipe is the end of a process."""

import os
import signal
import time
from collections.abc import Callable

import pytest
from serving import eventually

from prefork.system import lifeline
from prefork.system.lifeline import Grip, Lifeline, seconds_for


@pytest.mark.parametrize(
    ("grace", "seconds"),
    [(0, 16), (16, 16), (16.5, 30), (30, 30), (31, 34), (59.5, 60), (300, 64)],
)
def test_the_number_of_the_signal_is_that_of_the_seconds(
    grace: float, seconds: int
) -> None:
    assert seconds_for(grace) == seconds


def end(line: Lifeline) -> None:
    for end in line.state().values():
        os.close(end["fd"])


def in_a_child(line: Lifeline, live: Callable[[], None]) -> int:
    """Returns its pid; it has the end that is held, and not the other."""
    pid = os.fork()
    if not pid:
        os.close(line.state()["end"]["fd"])
        live()
        os._exit(0)
    return pid


def alarm_is_set() -> None:
    """Exit with 7 once a timer runs."""
    for _ in range(10_000):
        if signal.getitimer(signal.ITIMER_REAL)[0]:
            os._exit(7)
        time.sleep(0.001)


def exit_code(pid: int) -> int:
    def reaped() -> tuple[int, int] | None:
        done, status = os.waitpid(pid, os.WNOHANG)
        return (done, os.waitstatus_to_exitcode(status)) if done else None

    return eventually(reaped, within=15)[1]


@pytest.mark.process
def test_the_timer_runs_when_the_line_has_ended() -> None:
    line = Lifeline()
    ready, say = os.pipe()

    def live() -> None:
        Grip(line.held, grace=1)
        os.write(say, b"x")
        alarm_is_set()

    pid = in_a_child(line, live)
    os.read(ready, 1)
    for fd in (ready, say):
        os.close(fd)
    end(line)
    assert exit_code(pid) == 7


@pytest.mark.process
def test_who_has_let_go_does_not_hear_of_it() -> None:
    line = Lifeline()
    before = len(os.listdir("/proc/self/fd"))
    grip = Grip(line.held, grace=1)
    grip.let_go()
    assert len(os.listdir("/proc/self/fd")) == before
    grip.let_go()
    end(line)
    os.kill(os.getpid(), seconds_for(1))  # as if it had been on its way
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    signal.signal(seconds_for(1), signal.SIG_DFL)


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_another_user_may_hold_on_to_it() -> None:
    line = Lifeline()

    def live() -> None:
        os.setgid(65534)
        os.setuid(65534)
        Grip(line.held, grace=1)
        os._exit(5)

    pid = in_a_child(line, live)
    assert exit_code(pid) == 5
    end(line)


def test_another_program_goes_on_with_it() -> None:
    line = Lifeline()
    heir = lifeline.Lifeline(line.state())
    assert heir.state() == line.state()
    end(line)
