"""prefork.system.execution: real programs, with a socket as stdin."""

import errno
import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from serving import eventually
from serving.onlooker import children_of_ours

from prefork.system.execution import Execution, execute, make_blocking

pytestmark = pytest.mark.process

Run = Callable[..., Execution]


@pytest.fixture
def run() -> Iterator[Run]:
    """Starts a line of shell; what still runs is ended afterwards."""
    started: list[Execution] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def run(line: str) -> Execution:
        words = ["sh", "-c", line]
        started.append(execute("/bin/sh", words, listener=listener.fileno()))
        return started[-1]

    yield run
    for each in started:
        try:
            each.kill_group()
            each.reap()
        except ChildProcessError:
            pass  # the test has reaped it
        each.close()
    listener.close()


def output_of(copy: Execution) -> bytes:
    copy.reap()
    return os.read(copy.stdout, 4096)


def test_stdin_is_the_listener_and_the_rest_is_ours(run: Run) -> None:
    copy = run("readlink /proc/self/fd/0; echo error >&2")
    assert output_of(copy).startswith(b"socket:[")
    assert os.read(copy.stderr, 4096) == b"error\n"


def test_what_the_server_was_left_is_not_left_to_it(run: Run) -> None:
    left = os.dup2(1, 55)
    try:
        assert output_of(run("ls /proc/$$/fd | grep -x 55; echo")) == b"\n"
    finally:
        os.close(left)


def test_what_cannot_be_started_is_told_of() -> None:
    before = children_of_ours()
    with pytest.raises(FileNotFoundError) as refusal:
        execute("/no/such/program", ["it"], listener=0)
    assert refusal.value.errno == errno.ENOENT
    assert children_of_ours() <= before


@pytest.mark.parametrize(("line", "status"), [("exit 3", 3), ("kill -SEGV $$", -11)])
def test_its_end_is_told_as_it_was(run: Run, line: str, status: int) -> None:
    assert run(line).reap() == status


def test_signals_are_as_by_default_whatever_we_ignore(run: Run) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        copy = run("kill -HUP $$; echo alive")
        assert copy.reap() == -signal.SIGHUP
    finally:
        signal.signal(signal.SIGHUP, before)


def test_what_it_leaves_behind_is_ended_with_it(run: Run) -> None:
    child = int(output_of(run("sleep 100 & echo $!")))
    eventually(lambda: not is_alive(child))


def is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False


def test_it_stands_still_until_it_may_go_on(run: Run) -> None:
    copy = run("sleep 100")
    eventually(copy.pause)
    assert " T " in Path(f"/proc/{copy.pid}/stat").read_text()
    copy.resume()
    eventually(lambda: " T " not in Path(f"/proc/{copy.pid}/stat").read_text())
    eventually(copy.pause)


def test_what_has_ended_does_not_stand_still(run: Run) -> None:
    copy = run("exit 0")
    eventually(lambda: not is_alive(copy.pid))
    assert not copy.pause()
    assert copy.reap() == 0


def test_it_dies_with_whoever_has_started_it() -> None:
    reading, writing = os.pipe()
    parent = os.fork()
    if not parent:
        copy = execute("/bin/sleep", ["sleep", "100"], listener=0)
        os.write(writing, str(copy.pid).encode())
        os._exit(0)
    os.waitpid(parent, 0)
    pid = int(os.read(reading, 32))
    eventually(lambda: not is_alive(pid))
    os.close(reading)
    os.close(writing)


def test_a_listener_waits_again_for_whoever_accepts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, b"\1" + bytes(15))
        make_blocking(listener)
        assert os.get_blocking(listener.fileno())
        limit = listener.getsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, 16)
        assert limit == bytes(16)
