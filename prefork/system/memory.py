"""Memory: how much of it a process holds."""

import os

PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


def read_rss(pid: int = 0) -> int:
    """Resident bytes of a process, or (0) of this one.

    Pages that are shared with others included: the second field of
    /proc/self/statm (proc_pid_statm(5)).
    """
    # Opened each time: a descriptor kept over a fork would show the parent's.
    statm = os.open(f"/proc/{pid or 'self'}/statm", os.O_RDONLY)
    try:
        return int(os.read(statm, 128).split()[1]) * PAGE
    finally:
        os.close(statm)
