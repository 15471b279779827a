"""The pid file: opened before all else, written as children come up."""

import os
import stat

from prefork.errors import ConfigError
from prefork.spawn.attempt import attempt
from prefork.spawn.console import complain

FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
MODE = 0o644


class PidFile:
    """One pid a line, without a newline after the last.

    Nobody removes it, and nobody locks it: whoever stops the children does so by
    what it says, also after they have died.
    """

    def __init__(self, path: str) -> None:
        self.fd = _open(path)

    def add(self, pid: int, *, is_last: bool) -> None:
        """Write one pid; when that fails, complain, and write no more."""
        if self.fd < 0:
            return
        try:
            _write(self.fd, str(pid) if is_last else f"{pid}\n")
        except OSError as error:
            complain(f"writing pid file failed: {os.strerror(error.errno or 0)}")
            os.close(self.fd)
            self.fd = -1


def _open(path: str) -> int:
    # A child closes descriptors by their number, and this is one of them; in a jail
    # without /dev/null it closes none, and the program gets this one too.
    with attempt(f"opening PID-file '{path}' failed"):
        try:
            fd = os.open(path, FLAGS | os.O_EXCL, MODE)
        except FileExistsError:
            _check_regular(path)
            fd = os.open(path, FLAGS, MODE)
    os.set_inheritable(fd, True)
    return fd


def _check_regular(path: str) -> None:
    with attempt(f"stating PID-file '{path}' failed"):
        mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        raise ConfigError(f"PID-file exists and isn't regular file: '{path}'")


def _write(fd: int, text: str) -> None:
    data = text.encode()
    while data:
        data = data[os.write(fd, data) :]
