"""What a dead child leaves running: the program of a request, which is ours now.

A program that is started by posix_spawn(3) cannot be made to die with who started it.
But its parent's parent is a subreaper (processes.py), and inherits it.
"""

import os

from prefork.system.execution import kill_group


def end_orphan(pid: int) -> bool:
    """End it, and what it has started; False if that is no child of ours.

    Until we reap it nobody else can have its number, nor that of its group.
    """
    if not pid or read_parent(pid) != os.getpid():
        return False
    kill_group(pid)
    return True


def read_parent(pid: int) -> int:
    """The pid of its parent; 0: there is no such process (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            line = file.read()
    except OSError:
        return 0
    # The name, in parentheses, may have anything in it.
    return int(line.rpartition(b")")[2].split()[1])
