"""The last steps of a child: its descriptors, then the program."""

import errno
import os
from collections.abc import Sequence

from prefork.spawn.console import complain

LISTENER = 0  # FastCGI 1.0, section 2.2: FCGI_LISTENSOCK_FILENO
STDOUT, STDERR = 1, 2
SHELL = "/bin/sh"


def become(
    command: Sequence[str],
    *,
    shell: str | None,
    listener: int,
    php_children: int,
    is_forked: bool,
) -> None:
    """Execute `command`, or else the shell's; never return.

    A child that was forked is in a session of its own, and silent; one that was not
    keeps its session, and where it writes to.  What execve(2) says when it fails is
    the exit status.
    """
    if php_children >= 0:
        os.putenv("PHP_FCGI_CHILDREN", str(php_children))
    _put_in_place(listener)
    if is_forked:
        os.setsid()
        _silence()
    code = _execute(command, shell)
    complain(f"exec failed: {os.strerror(code)}")
    os._exit(code)


def _put_in_place(listener: int) -> None:
    if listener != LISTENER:  # so it is if stdin was closed when we were started
        os.dup2(listener, LISTENER)
        os.close(listener)


def _silence() -> None:
    try:
        null = os.open(os.devnull, os.O_RDWR)
    except OSError as error:  # a jail may have none
        reason = os.strerror(error.errno or 0)
        complain(f"couldn't open and redirect stdout/stderr to '/dev/null': {reason}")
        return
    for fd in STDOUT, STDERR:
        if null == fd:
            os.set_inheritable(fd, True)
        else:
            os.dup2(null, fd)
    # What we have opened is below the first free number, which /dev/null got; and so
    # is what we were given without a gap.  The program inherits the others.
    os.closerange(STDERR + 1, null + 1)


def _execute(command: Sequence[str], shell: str | None) -> int:
    """Return only when it fails: the error's number."""
    program = command[0] if command else SHELL
    if not program:
        return errno.ENOENT  # as execve(2) says; Python raises ValueError
    try:
        os.execv(program, [*command] or ["sh", "-c", f"exec {shell}"])
    except OSError as error:
        return error.errno or 0
