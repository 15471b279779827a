"""prefork.system.descriptors: what a program would get that nobody meant for it."""

import os

import pytest

from prefork.system.descriptors import close_on_exec
from prefork.system.program import start

pytestmark = pytest.mark.process


def test_what_we_were_left_is_not_left_to_programs() -> None:
    reading, writing = os.pipe()
    left = os.dup2(writing, 55)
    assert os.get_inheritable(left)
    try:
        close_on_exec()
        assert not os.get_inheritable(left)
        assert all(os.get_inheritable(fd) for fd in range(3))
        assert os.fstat(left)  # to us it stays open
        program = start(
            b"/bin/ls", [b"/proc/self/fd"], {}, directory=b"/", stdin=None, limits={}
        )
        os.waitpid(program.pid, 0)
        # The last is the list's own.
        assert os.read(program.stdout, 4096).split() == [b"0", b"1", b"2", b"3"]
        program.close()
    finally:
        for fd in (reading, writing, left):
            os.close(fd)
