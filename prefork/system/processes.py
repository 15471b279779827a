"""Processes: being born, being adopted, being watched, being reaped."""

import ctypes
import errno
import os
import signal
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from prefork.system.signals import CATCHABLE, name_of

PR_SET_PDEATHSIG = 1  # linux/prctl.h
PR_SET_CHILD_SUBREAPER = 36

_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Adopt every orphan below this process: prctl(2), PR_SET_CHILD_SUBREAPER.

    A worker is the grandchild of its template; when the process between them
    exits the worker becomes ours, with its exit status and its pidfd.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def die_with(parent: int, number: int) -> bool:
    """Have the kernel send `number` when our parent dies; False: it is dead.

    To be armed after a change of uid, which clears it, and after reparenting,
    since it fires for the parent of the moment (prctl(2), PR_SET_PDEATHSIG).
    """
    _prctl(PR_SET_PDEATHSIG, number)
    return os.getppid() == parent


def _prctl(option: int, value: int) -> None:
    if _libc.prctl(option, value, 0, 0, 0):
        code = ctypes.get_errno()
        raise OSError(code, f"prctl({option}, {value}): {os.strerror(code)}")


def spawn(module: str, arguments: Sequence[str], *, descriptors: dict[int, int]) -> int:
    """Start `python -m module arguments` in a session of its own; its pid.

    `descriptors` maps our descriptors to the child's numbers; all others are
    closed on exec.  A session of its own: a ^C at the terminal is for the
    master alone.  -P: the working directory is the application's business, a
    `json.py` in it must not become ours.
    """
    return os.posix_spawn(
        sys.executable,
        _command(module, arguments),
        os.environ,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, ours, theirs) for ours, theirs in descriptors.items()
        ],
        setsid=True,
        setsigmask=[],
        setsigdef=CATCHABLE,
    )


def become(module: str, arguments: Sequence[str], *, keep: Collection[int]) -> None:
    """Be `python -m module arguments` from now on, with the same pid and children.

    `keep` are the descriptors that stay open, beside 0 to 2.  Returns only by
    OSError, and then nothing has changed.  What execve(2) preserves: parent and
    children, subreaper, blocked and pending signals, locks of the files kept.
    """
    for fd in keep:
        os.set_inheritable(fd, True)
    try:
        os.execve(sys.executable, _command(module, arguments), os.environ)
    finally:
        for fd in keep:
            os.set_inheritable(fd, False)


def _command(module: str, arguments: Sequence[str]) -> list[str]:
    return [sys.executable, *_interpreter_flags(), "-P", "-m", module, *arguments]


def _interpreter_flags() -> list[str]:
    """The options that this interpreter was started with and a child shares."""
    flags = [f"-X{name}" for name in ("dev", "importtime") if name in sys._xoptions]
    flags += [f"-W{option}" for option in sys.warnoptions]
    flags += ["-" + "O" * sys.flags.optimize] if sys.flags.optimize else []
    return flags + (["-B"] if sys.dont_write_bytecode else [])


def fork_orphan(announce: Callable[[int], object], *, patience: float) -> int | None:
    """Fork a grandchild for our parent to adopt; None in the grandchild.

    Two forks, because only an orphan is handed to the subreaper.  The process
    between calls `announce(pid)` and exits; returns its exit status, nonzero if
    it was killed after `patience` seconds (a hook of the application's,
    os.register_at_fork, may hang in it).  OSError: one of the forks failed.
    """
    adopter = os.getppid()
    between = os.fork()
    if between:
        status = _wait_for_exit(between, patience)
        if status > 0:
            raise OSError(status, os.strerror(status))
        return status
    here = os.getpid()
    try:
        orphan = os.fork()
    except OSError as error:
        os._exit(error.errno or errno.EAGAIN)
    if orphan:
        announce(orphan)
        os._exit(0)
    while os.getppid() == here:  # some 0.1 ms: the process between is exiting
        time.sleep(0.0002)
    if os.getppid() != adopter:
        os._exit(0)  # the adopter died in this very moment: no one to work for
    return None


def _wait_for_exit(pid: int, patience: float) -> int:
    give_up = time.monotonic() + patience
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > give_up:
            os.kill(pid, signal.SIGKILL)  # not reaped yet, so the pid is its own
        time.sleep(0.0005)


def reap() -> Iterator[tuple[int, int]]:
    """Every child that has exited: (pid, status as os.waitstatus_to_exitcode).

    Each is reaped when it is asked for: until then it can be signalled, and its pid
    is nobody else's.
    """
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def describe_exit(code: int) -> str:
    """`exit code 3`, or `SIGKILL` for -9, as os.waitstatus_to_exitcode gives it."""
    return name_of(-code) if code < 0 else f"exit code {code}"
