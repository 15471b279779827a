"""prefork.system.memory: how much of it this process holds."""

import mmap
import os

import pytest

from prefork.system.memory import read_rss

MEGABYTE = 1 << 20


def test_grows_with_what_is_touched() -> None:
    before = read_rss()
    with mmap.mmap(-1, 32 * MEGABYTE) as memory:
        memory.write(b"x" * len(memory))
        assert 24 * MEGABYTE < read_rss() - before < 80 * MEGABYTE


def test_is_what_the_kernel_tells_others() -> None:
    with open("/proc/self/status") as status:
        line = next(line for line in status if line.startswith("VmRSS:"))
    assert read_rss() == pytest.approx(int(line.split()[1]) * 1024, rel=0.2)


@pytest.mark.process
def test_a_child_reads_its_own() -> None:
    with mmap.mmap(-1, 64 * MEGABYTE, flags=mmap.MAP_PRIVATE) as memory:
        memory.write(b"x" * len(memory))
        ours = read_rss()
        pid = os.fork()
        if not pid:
            memory.close()
            os._exit(read_rss() < ours - 32 * MEGABYTE)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 1
