"""A program that accepts by itself: started with a listener as stdin; its end.

FastCGI 1.0, section 2.2: "The Web server leaves a single file descriptor,
FCGI_LISTENSOCK_FILENO, open when the application begins execution."
"""

import errno
import os
import signal
import socket
import struct
import time

from prefork.system.descriptors import close_on_exec
from prefork.system.forking import fork_exec
from prefork.system.processes import die_with
from prefork.system.refusal import explain_refusal

# Seconds between two looks whether SIGSTOP has stopped the program, and how many
# looks: some µs are enough, unless it has to wait for a processor.
PAUSE_LOOK, PAUSE_LOOKS = 0.0005, 200
LOOK = os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT
FOREVER = struct.pack("ll", 0, 0)  # struct timeval, to SO_RCVTIMEO


class Execution:
    """A program that runs, leader of a session and a process group of its own.

    `stdout` and `stderr` are our ends of its pipes, not blocking.
    """

    def __init__(self, pid: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdout = stdout
        self.stderr = stderr
        self._pidfd = os.pidfd_open(pid)

    def fileno(self) -> int:
        """Readable when it has ended: pidfd_open(2)."""
        return self._pidfd

    def signal(self, number: int) -> None:
        """Signal the program alone."""
        try:
            os.kill(self.pid, number)
        except PermissionError:
            pass  # it is set-user-ID, and not ours to signal

    def pause(self) -> bool:
        """Stop it until resume(), so that it cannot accept; False if it goes on."""
        self.signal(signal.SIGSTOP)
        for _ in range(PAUSE_LOOKS):
            if (news := os.waitid(os.P_PID, self.pid, LOOK)) is not None:
                return news.si_code == os.CLD_STOPPED  # else it has ended
            time.sleep(PAUSE_LOOK)
        self.resume()  # it is in an uninterruptible sleep
        return False

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def kill_group(self) -> None:
        """End it, and all that it has started."""
        kill_group(self.pid)

    def reap(self) -> int:
        """Wait for its end, and end what it leaves behind.

        Returns its status as os.waitstatus_to_exitcode() does.
        """
        # Until it is reaped, the number of the group is not given to anybody else.
        os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        self.kill_group()
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)

    def close(self) -> None:
        for fd in (self.stdout, self.stderr, self._pidfd):
            os.close(fd)


def kill_group(leader: int) -> None:
    """Send KILL to a process group, if there still is one and it is ours to end."""
    try:
        os.killpg(leader, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def make_blocking(listener: socket.socket) -> None:
    """Have accept() wait, as such programs expect; for all who share the socket."""
    os.set_blocking(listener.fileno(), True)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, FOREVER)


def execute(file: str, command: list[str], *, listener: int) -> Execution:
    """Start `file` with the arguments `command`; OSError says why it cannot be.

    By fork(2), since posix_spawn(3) cannot arrange that it dies with us.
    """
    stdout, its_stdout = os.pipe2(os.O_CLOEXEC)
    stderr, its_stderr = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()

    def become() -> None:
        close_on_exec()
        if not die_with(parent, signal.SIGKILL):
            raise ProcessLookupError(errno.ESRCH, "the worker has died")
        os.execv(file, command)

    try:
        standard = (listener, its_stdout, its_stderr)
        pid = fork_exec(become, standard=standard)
    except OSError as error:
        os.close(stdout)
        os.close(stderr)
        error.filename = file
        raise explain_refusal(error, file) from None
    finally:
        os.close(its_stdout)
        os.close(its_stderr)
    os.set_blocking(stdout, False)
    os.set_blocking(stderr, False)
    return Execution(pid, stdout, stderr)
