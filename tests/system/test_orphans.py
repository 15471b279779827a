"""Ending what a dead child has left running."""

import os
import signal
import subprocess

import pytest
from serving import eventually

from prefork.system.orphans import end_orphan, read_parent
from prefork.system.processes import become_subreaper

pytestmark = pytest.mark.process


def test_the_parent_is_read_whatever_the_name_is() -> None:
    assert read_parent(os.getpid()) == os.getppid()
    child = subprocess.Popen(["sh", "-c", "exec sleep 60"])
    assert read_parent(child.pid) == os.getpid()
    child.kill()
    child.wait()
    assert read_parent(child.pid) == 0


def test_a_child_of_ours_is_ended_with_its_group() -> None:
    child = subprocess.Popen(
        ["sh", "-c", "sleep 60 & echo $!; wait"],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout is not None
    other = int(child.stdout.readline())
    assert end_orphan(child.pid)
    assert child.wait() == -signal.SIGKILL
    eventually(lambda: read_parent(other) in (0, 1) or not is_running(other))
    child.stdout.close()


def test_a_child_is_ended_that_we_have_inherited_from_a_leader_who_is_gone() -> None:
    reading, writing = os.pipe()
    us = os.fork()
    if not us:
        become_subreaper()
        line = ["sh", "-c", "sleep 60 & echo $!"]
        leader = subprocess.Popen(line, start_new_session=True, stdout=writing)
        leader.wait()
        os._exit(not end_orphan(leader.pid))
    assert os.waitstatus_to_exitcode(os.waitpid(us, 0)[1]) == 0
    other = int(os.read(reading, 32))
    eventually(lambda: not is_running(other))
    os.close(reading)
    os.close(writing)


def test_our_own_group_is_none_of_them() -> None:
    child = subprocess.Popen(["sleep", "60"])
    assert os.getpgid(child.pid) == os.getpgrp()
    assert not end_orphan(os.getpgrp())
    child.kill()
    child.wait()


def is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_others_are_left_alone() -> None:
    assert not end_orphan(0)
    assert not end_orphan(os.getppid())
    assert not end_orphan(1 << 22)
