"""prefork.system.signals: as bytes in a pipe."""

import os
import select
import signal
import time
import traceback
from collections.abc import Callable, Iterator

import pytest

from prefork.system.signals import (
    SignalPipe,
    blocked,
    name_of,
    unblock_all,
)

USED = (signal.SIGUSR1, signal.SIGUSR2, signal.SIGWINCH)


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    """Signals are the whole process's: give them back as they were."""
    handlers = {number: signal.getsignal(number) for number in USED}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [])
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


@pytest.fixture
def pipe() -> Iterator[SignalPipe]:
    pipe = SignalPipe(USED)
    yield pipe
    pipe.close()


def test_without_signals_there_is_nothing_to_read(pipe: SignalPipe) -> None:
    assert pipe.read_signals() == []


def test_signals_come_in_order(pipe: SignalPipe) -> None:
    for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGUSR1):
        os.kill(os.getpid(), number)
    assert pipe.read_signals() == [signal.SIGUSR1, signal.SIGWINCH, signal.SIGUSR1]
    assert pipe.read_signals() == []


def in_a_child(check: Callable[[SignalPipe], None]) -> None:
    """There is one thread: another one here would take what we block.

    A pipe of its own, since asyncio, wherever it was imported, has a child of fork()
    forget the other one (Python 3.12).
    """
    child = os.fork()
    if child == 0:
        try:
            check(SignalPipe(USED))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_signals_that_are_put_back_are_pending_again() -> None:
    """For an exec, which a pipe does not survive."""

    def check(pipe: SignalPipe) -> None:
        with blocked():
            for number in (signal.SIGUSR1, signal.SIGWINCH, signal.SIGUSR1):
                os.kill(os.getpid(), number)
            assert pipe.read_signals() == []
        with blocked():
            pipe.put_back()
            assert {*signal.sigpending()} == {signal.SIGUSR1, signal.SIGWINCH}
            assert pipe.read_signals() == []
        assert {*pipe.read_signals()} == {signal.SIGUSR1, signal.SIGWINCH}

    in_a_child(check)


def test_a_signal_ends_a_wait(pipe: SignalPipe) -> None:
    """Which a handler alone would not: PEP 475."""
    epoll = select.epoll()
    epoll.register(pipe.fileno(), select.EPOLLIN)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert epoll.poll(10)
    epoll.close()


def test_a_signal_does_not_end_what_the_application_does(pipe: SignalPipe) -> None:
    """No exception, no EINTR: behaviour 66."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        for _ in range(20):
            os.kill(os.getppid(), signal.SIGUSR1)
            time.sleep(0.002)
        os.write(writer, b"done")
        os._exit(0)
    assert os.read(reader, 100) == b"done"
    os.waitpid(pid, 0)
    assert set(pipe.read_signals()) == {signal.SIGUSR1}
    os.close(reader)
    os.close(writer)


def test_more_signals_than_the_pipe_holds_are_no_error(pipe: SignalPipe) -> None:
    """Behaviour 79: whoever comes when it is full is in it already."""
    for _ in range(70_000):
        signal.raise_signal(signal.SIGUSR1)
    heard = 0
    while signals := pipe.read_signals():
        heard += len(signals)
    assert heard >= 60_000
    signal.raise_signal(signal.SIGUSR2)
    assert pipe.read_signals() == [signal.SIGUSR2]


def test_after_close_signals_are_not_heard() -> None:
    pipe = SignalPipe(USED)
    pipe.close()
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.set_wakeup_fd(-1) == -1


def test_whoever_leaves_has_the_default_actions_again() -> None:
    pipe = SignalPipe(USED)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    pipe.leave()
    assert signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGUSR2) == signal.SIG_IGN


@pytest.mark.process
def test_a_child_can_leave_its_parents_pipe(pipe: SignalPipe) -> None:
    """A signal meant for the child must not reach the parent."""
    with blocked():
        pid = os.fork()
        if not pid:
            pipe.close()
            own = SignalPipe(USED)
            unblock_all()
            os.kill(os.getpid(), signal.SIGUSR1)
            os._exit(own.read_signals() != [signal.SIGUSR1])
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert pipe.read_signals() == []


def test_what_is_blocked_comes_afterwards() -> None:
    def check(pipe: SignalPipe) -> None:
        with blocked():
            os.kill(os.getpid(), signal.SIGUSR1)
            assert pipe.read_signals() == []
        assert pipe.read_signals() == [signal.SIGUSR1]

    in_a_child(check)


def test_what_was_blocked_before_stays_so() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
    with blocked():
        pass
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == {signal.SIGUSR2}
    unblock_all()
    assert signal.pthread_sigmask(signal.SIG_BLOCK, []) == set()


@pytest.mark.parametrize(
    ("number", "name"),
    [(15, "SIGTERM"), (9, "SIGKILL"), (77, "signal 77"), (64, "SIGRTMAX")],
)
def test_signals_have_names(number: int, name: str) -> None:
    assert name_of(number) == name
