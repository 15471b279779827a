"""Programs that die with who has started them, by the kernel's hand."""

import os
import signal

import pytest
from serving import eventually

from prefork.system import leash

pytestmark = pytest.mark.process


def start(text: str) -> int:
    return os.posix_spawn("/bin/sh", ["sh", "-c", text], {}, setsid=True)


def has_ended(pid: int) -> bool:
    """Or is a zombie, of whoever has inherited it."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def die_with_programs(count: int) -> list[int]:
    """In a child that is killed: the pids of what it has tied, one after the other."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        pids = []
        for _ in range(count):
            pids.append(start("sleep 60 & wait"))
            leash.tie(pids[-1])
        os.write(writing, repr(pids).encode())
        signal.pause()
    os.close(writing)
    pids = [
        int(word) for word in os.read(reading, 1000).decode().strip("[]").split(",")
    ]
    os.close(reading)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return pids


def test_a_program_is_killed_when_its_owner_is() -> None:
    (pid,) = die_with_programs(1)
    eventually(lambda: has_ended(pid))


def test_it_is_the_last_one_that_was_tied() -> None:
    first, last = die_with_programs(2)
    try:
        eventually(lambda: has_ended(last))
        assert not has_ended(first)
    finally:
        os.killpg(first, signal.SIGKILL)


def test_a_fork_of_the_owner_changes_nothing() -> None:
    """Nor does the owner's program die with that."""
    pid = start("sleep 60")
    leash.tie(pid)
    (other,) = die_with_programs(1)
    eventually(lambda: has_ended(other))
    assert not has_ended(pid)
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
