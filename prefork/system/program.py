"""A program that is started for one request: its pipes, its group, its end.

posix_spawn(3), which glibc builds on vfork: what a start costs does not depend on
how large the worker is, as fork(2) does (0.5 ms for 20 MB).
"""

import os
import signal
from collections.abc import Mapping, Sequence
from functools import cache, partial

from prefork.system.leash import tie
from prefork.system.limited import spawn as spawn_limited
from prefork.system.refusal import explain_refusal
from prefork.system.signals import CATCHABLE

PIPE = -1  # to start(): a pipe, whose other end is ours


class Program:
    """One that runs, leader of a session and a process group of its own.

    `stdin`, `stdout` and `stderr` are our ends of its pipes, not blocking; -1 when
    closed.  `pidfd` is readable when it has ended.
    """

    def __init__(
        self, pid: int, pidfd: int, stdin: int, stdout: int, stderr: int
    ) -> None:
        self.pid = pid
        self.pidfd = pidfd
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.status: int | None = None  # exit code, or minus the signal

    def close_stdin(self) -> None:
        if self.stdin >= 0:
            os.close(self.stdin)
            self.stdin = -1

    def close_stdout(self) -> None:
        if self.stdout >= 0:
            os.close(self.stdout)
            self.stdout = -1

    def close_stderr(self) -> None:
        if self.stderr >= 0:
            os.close(self.stderr)
            self.stderr = -1

    def close(self) -> None:
        self.close_stdin()
        self.close_stdout()
        self.close_stderr()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1

    def has_ended(self) -> bool:
        """Reap it if it has."""
        if self.status is None:
            try:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
            except ChildProcessError:  # somebody else has reaped it
                self.status = 0
                return True
            if pid:
                self.status = os.waitstatus_to_exitcode(status)
        return self.status is not None

    def signal_group(self, number: int) -> None:
        """Signal it and all that it has started, unless it is reaped: the number
        of its group may be another's by then."""
        if self.status is not None:
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            pass  # nobody is left; or set-user-ID, and not ours to end


def start(
    file: bytes,
    arguments: Sequence[bytes],
    environment: Mapping[bytes, bytes],
    *,
    directory: bytes,
    stdin: int | None,
    limits: Mapping[int, int],
) -> Program:
    """Start a program in `directory`; OSError says why it cannot be.

    Our own working directory becomes that one too: it is the worker's, which needs
    none.  `stdin`: what it reads is a descriptor, or PIPE; None: /dev/null.
    `limits`: value by RLIMIT_*.
    """
    os.chdir(directory)
    ours = [-1]  # of stdin, if that is a pipe; then of stdout and stderr
    theirs: list[int] = []  # the other ends, in the same order
    reads = _open_nothing() if stdin is None else stdin
    try:
        if stdin == PIPE:
            reads, ours[0] = os.pipe2(os.O_CLOEXEC)
            theirs.append(reads)
        for _ in range(2):
            reading, writing = os.pipe2(os.O_CLOEXEC)
            ours.append(reading)
            theirs.append(writing)
        standard = (reads, *theirs[-2:])
        begin = partial(spawn_limited, limits=limits) if limits else _spawn
        pid = begin(file, [file, *arguments], environment, standard=standard)
    except OSError as error:
        _close(ours)
        raise explain_refusal(error, file) from None
    finally:
        _close(theirs)
    for fd in ours:
        if fd >= 0:
            os.set_blocking(fd, False)
    tie(pid)
    return Program(pid, _open_pidfd(pid, ours), *ours)


def _spawn(
    file: bytes,
    arguments: list[bytes],
    environment: Mapping[bytes, bytes],
    *,
    standard: Sequence[int],
) -> int:
    return os.posix_spawn(
        file,
        arguments,
        environment,
        file_actions=[(os.POSIX_SPAWN_DUP2, fd, n) for n, fd in enumerate(standard)],
        setsid=True,
        setsigmask=(),
        setsigdef=CATCHABLE,  # whatever the worker ignores
    )


@cache
def _open_nothing() -> int:
    return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)


def _open_pidfd(pid: int, ours: list[int]) -> int:
    try:
        return os.pidfd_open(pid)
    except OSError:  # no descriptor is left
        os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        _close(ours)
        raise


def _close(descriptors: list[int]) -> None:
    for fd in descriptors:
        if fd >= 0:
            os.close(fd)
