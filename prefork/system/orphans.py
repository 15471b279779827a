"""What a dead child leaves running: a program and its children, ours to end.

A program that is started by posix_spawn(3) cannot be made to die with who started it;
nor can the children of any.  But we are a subreaper (processes.py), and inherit them.
"""

import os

from prefork.system.execution import kill_group


def end_orphan(pid: int) -> bool:
    """End it, and what it has started; False if none of that is a child of ours.

    Until we reap it nobody else can have its number; nor that of its group, while
    another child of ours is in that.
    """
    if not pid or not (read_parent(pid) == os.getpid() or _have_child_in(pid)):
        return False
    kill_group(pid)
    return True


def _have_child_in(group: int) -> bool:
    if group == os.getpgrp():
        return False  # we are in it ourselves
    try:
        with open(f"/proc/self/task/{os.getpid()}/children") as file:
            children = map(int, file.read().split())
        return any(os.getpgid(child) == group for child in children)
    except OSError:  # a kernel without that file
        return False


def read_parent(pid: int) -> int:
    """The pid of its parent; 0: there is no such process (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return 0
    # The name, in parentheses, may have anything in it.
    return int(line.rpartition(b")")[2].split()[1])
