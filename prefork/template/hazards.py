"""What an import may leave behind that does not survive a fork."""

import os
import socket
import stat
import threading
import time
from collections.abc import Collection

MOMENT = 0.1  # seconds


def find_hazards(known: Collection[int]) -> list[str]:
    """Name the threads that run and the sockets that are connected.

    A thread does not exist in a forked child, but the lock that it held does; a
    connection is shared, and two workers would talk on it at the same time.
    `known` are the descriptors that were open before.
    """
    return [*_find_threads(), *_find_connections(known)]


def find_children() -> list[str]:
    """Name the child processes: a copy of us could not wait for them."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return []
    return ["child processes"]


def open_descriptors() -> set[int]:
    """Every descriptor that is open in this process."""
    listed = [int(name) for name in os.listdir("/proc/self/fd")]
    # One was that of the listing: its number is free now, for the next to come.
    return {fd for fd in listed if os.path.lexists(f"/proc/self/fd/{fd}")}


def _find_threads() -> list[str]:
    names = [f"thread {thread.name}" for thread in threading.enumerate()[1:]]
    # A thread that was joined is still the kernel's for a moment (in 4 of 10 looks).
    give_up = time.monotonic() + MOMENT
    while (unnamed := _count_threads() - 1 - len(names)) > 0:
        if time.monotonic() >= give_up:
            return [*names, f"{unnamed} threads of a C library"]
        time.sleep(0.001)
    return names


def _count_threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _find_connections(known: Collection[int]) -> list[str]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd not in known and (peer := _peer_of(fd)):
            found.append(f"connection to {peer}")
    return found


def _peer_of(fd: int) -> str:
    """Where a socket is connected to; "" for other descriptors."""
    try:
        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return ""
        connection = socket.socket(fileno=os.dup(fd))
        with connection:
            return str(connection.getpeername() or "an unnamed socket")
    except OSError:  # not connected, or the descriptor of listdir() itself
        return ""
