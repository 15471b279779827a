"""Memory: how much of it this process holds."""

import os

PAGE = os.sysconf("SC_PAGE_SIZE")  # bytes


def read_rss() -> int:
    """Resident bytes of this process, pages shared with others included.

    The second field of /proc/self/statm (proc_pid_statm(5)).
    """
    # Opened each time: a descriptor kept over a fork would show the parent's.
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    try:
        return int(os.read(statm, 128).split()[1]) * PAGE
    finally:
        os.close(statm)
