"""The pid file: its lock says who runs, its text only says it to people."""

import contextlib
import errno
import fcntl
import os
import stat

from prefork.errors import SystemRefusal


class PidFile:
    """A pid file that this process has written, and keeps locked.

    The lock ends with the process, however that dies, so a file left behind is
    simply taken over, and a pid that another program got since fools nobody.

    flock(2): the lock belongs to the open file, which fork(2) shares.  A child that
    neither execs nor calls close_in_child() holds the lock for as long as it lives.
    """

    __slots__ = ("fd", "path")

    def __init__(self, path: str, fd: int) -> None:
        """For a process that got `fd` through exec; all others call take()."""
        self.path = path
        self.fd = fd  # close-on-exec, unless os.set_inheritable says otherwise

    @classmethod
    def take(cls, path: str) -> "PidFile":
        """Lock `path` and write our pid to it; raise SystemRefusal if it is taken."""
        try:
            pid_file = cls(path, _open_locked(path))
            pid_file._write()
        except OSError as error:
            raise _refusal(
                path, f"{_explain(error)} (choose another pid file)"
            ) from error
        return pid_file

    def _write(self) -> None:
        try:
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, b"%d\n" % os.getpid(), 0)
        except OSError:  # of a disk that is full
            self.release()
            raise

    def state(self) -> dict[str, object]:
        """What to call PidFile() with, after exec."""
        return {"path": self.path, "fd": self.fd}

    def release(self) -> None:
        """Remove the file, if the path still leads to it, and unlock it."""
        if self.fd < 0:
            return
        with contextlib.suppress(OSError):  # our user may not write to its directory
            if _leads_to(self.path, self.fd):
                os.unlink(self.path)
        self.close_in_child()

    def close_in_child(self) -> None:
        """Leave file and lock to the parent."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def _open_locked(path: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    while True:
        fd = os.open(path, flags, 0o644)
        try:
            _check_content(path, fd)
            _lock(path, fd)
            # A server that leaves may have removed the file since we opened it: our
            # lock would then be on a file that nobody else will ever find.
            if _leads_to(path, fd):
                return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _check_content(path: str, fd: int) -> None:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise _refusal(path, "not a regular file (choose another pid file)")
    content = os.pread(fd, 32, 0).strip()
    if content and not content.isdigit():
        # A slip such as `-p app.py` must not cost the operator a file.
        raise _refusal(path, "it holds something else than a pid (remove it yourself)")


def _lock(path: str, fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.pread(fd, 32, 0).decode("ascii", "replace").strip() or "unknown"
        advice = "stop it, or choose another pid file"
        raise _refusal(path, f"process {owner} holds it ({advice})") from None


def _leads_to(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.lstat(path), os.fstat(fd))
    except FileNotFoundError:
        return False


def _explain(error: OSError) -> str:
    if error.errno == errno.ELOOP:  # open(2): "pathname was a symbolic link", to us
        return "it is a symbolic link"
    return (error.strerror or str(error)).lower()


def _refusal(path: str, reason: str) -> SystemRefusal:
    return SystemRefusal(f"cannot take pid file {path}: {reason}")
