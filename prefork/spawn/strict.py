"""--strict: refuse what spawn-fcgi does, and can hardly be meant."""

import errno
import os
import socket
import stat
from collections.abc import Callable

from prefork.errors import ConfigError

Doubt = Callable[[str], None]  # is told what can hardly be meant

NOBODY = (errno.ECONNREFUSED, errno.ENOENT)


def refuse(what: str) -> None:
    """With --strict: go no further."""
    raise ConfigError(f"{what} (--strict)")


def allow(what: str) -> None:
    """Without it: go on in silence, as spawn-fcgi does."""


def check_place(path: str) -> None:
    """Refuse to replace what is no socket, or a socket that may be alive.

    To be bound, but not yet listening, looks the same as to be left behind.
    """
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            refuse(f"something that is no socket would be removed: '{path}'")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # a full queue answers EAGAIN instead of waiting
        code = probe.connect_ex(path)
    if code and code not in NOBODY:
        reason = os.strerror(code)
        refuse(f"a socket that may be in use would be removed: '{path}': {reason}")
