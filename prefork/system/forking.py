"""Starting a program by fork(2), for what posix_spawn(3) cannot arrange."""

import errno
import os
import signal
from collections.abc import Callable, Sequence
from typing import NoReturn

from prefork.system.signals import CATCHABLE, blocked, unblock_all


def fork_exec(become: Callable[[], object], *, standard: Sequence[int]) -> int:
    """The pid of a program, leader of a session; OSError says why there is none.

    `become()` is called in the child, last, and ends in an execve(2).  By then
    `standard` are its descriptors 0 to 2, and all signals are as by default.
    """
    failure, its_failure = os.pipe2(os.O_CLOEXEC)
    with blocked():
        pid = os.fork()
        if not pid:
            _leave_all_behind(become, standard, its_failure)
    os.close(its_failure)
    with open(failure, "rb") as pipe:
        code = pipe.read()  # nothing, when exec has closed the other end
    if code:
        os.waitpid(pid, 0)
        raise OSError(code[0], os.strerror(code[0]))
    return pid


def _leave_all_behind(
    become: Callable[[], object], standard: Sequence[int], failure: int
) -> NoReturn:
    """In the child: become the program, or write the errno into the pipe."""
    code = errno.ENOMEM  # unless it is an OSError that stops us
    try:
        signal.set_wakeup_fd(-1)
        for number in CATCHABLE:
            signal.signal(number, signal.SIG_DFL)
        unblock_all()
        os.setsid()
        for fd, source in enumerate(standard):
            os.dup2(source, fd)
        become()
    except OSError as error:
        code = error.errno or code
    finally:
        os.write(failure, bytes([code]))
        os._exit(1)
