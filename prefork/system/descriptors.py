"""Descriptors: are there enough, and which must programs not be left?"""

import os
import resource

from prefork.errors import SystemRefusal

STANDARD = range(3)
FEWEST = 32  # a master with four workers has 22 of them, and a reload needs more


def check_enough() -> None:
    """Raise SystemRefusal if the limit is such that no server can run."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < FEWEST:  # RLIM_INFINITY is -1 in Python, and Linux has none for this
        raise SystemRefusal(
            f"too few descriptors: {soft}, and {FEWEST} are needed at least, a dozen "
            "more than there are workers (raise LimitNOFILE=, or `ulimit -n`)"
        )


def close_on_exec() -> None:
    """Have the kernel close all but 0 to 2 in whatever is executed from now on.

    What we open ourselves is closed anyway (PEP 446).  But whoever has started the
    server may have left it more: the lock of a cron job, the pipe of a shell.
    """
    for fd in map(int, os.listdir("/proc/self/fd")):
        if fd not in STANDARD:
            try:
                os.set_inheritable(fd, False)
            except OSError:
                pass  # the list's own, closed by now
