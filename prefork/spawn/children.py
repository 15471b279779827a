"""The children: forked one after the other, and each looked at once."""

import os
import select
from collections.abc import Callable

from prefork.spawn.console import PREFIX, complain, say
from prefork.spawn.pidfile import PidFile

TRIAL = 0.1  # seconds in which a broken program is likely to exit
EXIT_SIGNALED = 1


def spawn_children(
    become: Callable[[], None], count: int, pid_file: PidFile | None
) -> int:
    """Fork `count` children to `become` the program; return the exit status.

    It is that of the last child found dead.  Only the first child is given the trial,
    the others are looked at as soon as they are forked: spawn-fcgi passes the time
    that is left to each, and after the first that is none.
    """
    status = 0
    trial = TRIAL
    for left in reversed(range(count)):
        try:
            pid = os.fork()
        except OSError as error:
            complain(f"fork failed: {os.strerror(error.errno or 0)}")
            continue
        if not pid:
            become()
        select.select([], [], [], trial)
        trial = 0.0
        try:
            exited, wait_status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue  # SIGCHLD is ignored, so nobody can tell what became of it
        if exited:
            status = _explain_end(wait_status)
            continue
        say(f"{PREFIX}child spawned successfully: PID: {pid}")
        if pid_file is not None:
            pid_file.add(pid, is_last=not left)
    return status


def _explain_end(wait_status: int) -> int:
    """Complain of a child that has ended already; return the status to exit with."""
    code = os.waitstatus_to_exitcode(wait_status)
    if code < 0:
        complain(f"child signaled: {-code}")
        return EXIT_SIGNALED
    complain(f"child exited with: {code}")
    return code
