"""The file of a unix socket: born with its mode, removed only by us."""

import contextlib
import errno
import os
import socket
import stat

from prefork.errors import SystemRefusal

FileIdentity = tuple[int, int]  # device and inode


def bind_file(sock: socket.socket, path: str, *, mode: int) -> FileIdentity | None:
    """Bind to `path`, in place of a file that nobody listens on any more.

    Raises OSError (EADDRINUSE: somebody does listen), or SystemRefusal if something
    else than a socket is there.  None is returned if the file is gone already.
    """
    # The file is born with its mode: chmod() after bind() would leave a moment in
    # which anyone may connect.  The umask is the whole process's, so no threads.
    umask = os.umask(0o777 & ~mode)
    try:
        _bind(sock, path)
    finally:
        os.umask(umask)
    return identify(path)


def _bind(sock: socket.socket, path: str) -> None:
    try:
        sock.bind(path)
    except OSError as error:
        if error.errno != errno.EADDRINUSE or not _make_way(path):
            raise
        sock.bind(path)


def _make_way(path: str) -> bool:
    """Remove the file of a server that is gone; is the path free now?

    Two servers that start in the same instant can both find the file stale; the
    second then removes what the first has just bound.  The file is looked at again
    right before, which leaves a window of microseconds; only a lock would close it.
    """
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return True
    if not stat.S_ISSOCK(found.st_mode):
        reason = "a file that is no socket is in the way"
        raise SystemRefusal(f"cannot bind unix:{path}: {reason} (remove it yourself)")
    return not _is_served(path) and remove(path, (found.st_dev, found.st_ino))


def _is_served(path: str) -> bool:
    """Does somebody listen there?  Only a refused connection says no."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        # EAGAIN is a full queue and EACCES a server that is not for us: both alive.
        return probe.connect_ex(path) != errno.ECONNREFUSED


def remove(path: str, identity: FileIdentity | None) -> bool:
    """Remove `path` if it still is the file we know; say whether we did."""
    if not is_still(path, identity):
        return False
    with contextlib.suppress(OSError):  # its directory may be root's, and we not
        os.unlink(path)
        return True
    return False


def is_still(path: str, identity: FileIdentity | None) -> bool:
    """Is it the file that we made?"""
    return identity is not None and identify(path) == identity


def identify(path: str) -> FileIdentity | None:
    """The file that is there now; None: there is none."""
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
