"""Descriptors that we were left, and that programs must not be."""

import os

STANDARD = range(3)


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
