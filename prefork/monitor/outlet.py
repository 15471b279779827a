"""An outlet: a descriptor that log lines go to, and that never blocks.

What never blocking takes depends on what the descriptor is:

    socket (journald)  send with MSG_DONTWAIT
    pipe, terminal     our own description of it, opened with O_NONBLOCK
    ... not ours to open   a look whether there is room, then at most PIPE_BUF
    file               a plain write: it waits for the disk at most

O_NONBLOCK belongs to the open file description (open(2)), which is shared with
whoever gave us the descriptor: to set it there would change their `stderr` too.
"""

import errno
import io
import os
import select
import socket
import stat
from _thread import get_ident
from collections.abc import Callable
from functools import partial

LONGEST_KEPT = 65536  # bytes kept of a line: unfinished, or not taken entirely
FOR_CHILDREN_TOO = range(3)  # stdin, stdout, stderr survive an exec

Send = Callable[[bytes], int]
Close = Callable[[], None]


class Outlet:
    """Where lines go: each whole and in one write, or dropped and counted.

    Make it before privileges are dropped: another user's pipe cannot be opened
    afterwards.  It does not own `fd`, and never raises because of it.

    It takes no lock, which a fork could catch held: every line is one system
    call, and the kernel keeps these apart (pipe(7): up to PIPE_BUF bytes).
    """

    __slots__ = ("_close", "_rest", "_send", "dropped", "fd", "reported")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.dropped = 0  # lines, since the beginning
        self.reported = 0  # how many of them some line has told of
        self._rest = b""  # of the one line that was not taken entirely
        self._send, self._close = _find_way(fd)

    def write(self, data: bytes) -> bool:
        """Write one or more whole lines; False if they had to be dropped."""
        if self.offer(data):
            return True
        self.dropped += max(1, data.count(b"\n"))
        return False

    def offer(self, data: bytes) -> bool:
        """Write like `write`, but do not count lines that are not taken."""
        if self._rest and not self._finish_rest():
            return False
        sent = self._push(data)
        if 0 < sent < len(data):
            self._keep_rest(data[sent:])
        return sent > 0

    def reopen(self, new_fd: int) -> None:
        """Go on into the file of `new_fd` (the caller closes it), same number."""
        self._lose_rest()
        os.dup2(new_fd, self.fd, inheritable=self.fd in FOR_CHILDREN_TOO)
        self._close()
        self._send, self._close = _find_way(self.fd)

    def close(self) -> None:
        """Let go of our own descriptors; `fd` stays open."""
        self._lose_rest()
        self._close()

    def _push(self, data: bytes) -> int:
        """Send while it is taken; return how much of it was."""
        sent = 0
        try:
            while sent < len(data):
                sent += self._send(data[sent:])
        except OSError:
            # Full (EAGAIN), nobody reads (EPIPE), no space (ENOSPC), closed by
            # the application (EBADF): there is nobody to tell but the counter.
            pass
        return sent

    # pipe(7): of more than PIPE_BUF bytes, "from 1 to n bytes may be written".
    # The end of a line that was so cut is kept, and leaves before anything else
    # does, so that the line is whole again; only what other processes wrote in
    # between can come to stand inside it.

    def _keep_rest(self, rest: bytes) -> None:
        end, newline, lost = rest.partition(b"\n")
        self._rest = end[:LONGEST_KEPT] + newline
        self.dropped += lost.count(b"\n")

    def _finish_rest(self) -> bool:
        rest, self._rest = self._rest, b""
        self._rest = rest[self._push(rest) :]
        return not self._rest

    def _lose_rest(self) -> None:
        if self._rest and not self._finish_rest():
            self._rest = b""
            self.dropped += 1


def open_file(path: str) -> int:
    """Open a log file to append to; return its descriptor.  Raises OSError."""
    # O_NONBLOCK: the path may be a FIFO, whose open would wait for a reader.
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY
    return os.open(path, flags | os.O_CLOEXEC, 0o644)


def _find_way(fd: int) -> tuple[Send, Close]:
    """How to write to `fd` without waiting, and how to be done with it."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:  # not open: every write will say so, and be counted
        mode = 0
    if stat.S_ISSOCK(mode):
        return _by_socket(fd)
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        return _by_own_description(fd)
    return partial(os.write, fd), _nothing


def _by_socket(fd: int) -> tuple[Send, Close]:
    own = socket.socket(fileno=os.dup(fd))  # dup: the object closes what it has

    def send(data: bytes) -> int:
        return own.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)

    return send, own.close


def _by_own_description(fd: int) -> tuple[Send, Close]:
    # O_NOCTTY: a daemon must not get a controlling terminal by logging.
    flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        own = os.open(f"/proc/self/fd/{fd}", flags)
    except OSError:  # EACCES: another user's; ENXIO: nobody reads
        return partial(_send_if_room, fd), _nothing
    return partial(os.write, own), partial(os.close, own)


def _send_if_room(fd: int, data: bytes) -> int:
    """Write without waiting to a description that is shared, and may wait.

    select(2): "even if a file descriptor indicates as writable, a large write
    may still block", so PIPE_BUF is the most.  And of two processes that saw
    the same room one would wait: RWF_NOWAIT prevents it, where the kernel knows
    it for pipes (6.18 does, 5.10 does not).  Only a stopped terminal that
    belongs to someone else can still make us wait: there, room for one byte
    counts as room.
    """
    poll = select.poll()  # a new one each time: threads cannot share one
    poll.register(fd, select.POLLOUT)
    if not poll.poll(0):
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    piece = data[: select.PIPE_BUF]
    try:
        return os.pwritev(fd, [piece], -1, os.RWF_NOWAIT)
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
    return os.write(fd, piece)


def _nothing() -> None:
    """There is nothing of our own to close."""


class ErrorStream(io.TextIOBase):
    """The text stream over an outlet that applications get as their stderr.

    A complete line leaves at once, in one write; flush() forces an incomplete
    one.  Whatever becomes of the outlet, the application does not notice.

    Each thread has an unfinished line of its own, so lines of two threads are
    not mixed, and again there is no lock.
    """

    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._unfinished: dict[int, str] = {}

    def write(self, text: str, /) -> int:
        """Take `text`; return its length, as all text streams do."""
        thread = get_ident()
        pending = self._unfinished.pop(thread, "") + text
        lines, newline, rest = pending.rpartition("\n")
        if len(rest) > LONGEST_KEPT:
            lines, newline, rest = pending, "", ""
        if rest:
            self._unfinished[thread] = rest
        self._send(lines + newline)
        return len(text)

    def flush(self) -> None:
        """Send the line that this thread has not finished."""
        self._send(self._unfinished.pop(get_ident(), ""))

    def close(self) -> None:
        """Flush only: an application that closes stderr loses no later line."""
        self.flush()

    def fileno(self) -> int:
        """Return the outlet's descriptor (faulthandler and children want it)."""
        return self._outlet.fd

    def isatty(self) -> bool:
        """Say no: colours and progress bars are not for logs."""
        return False

    def writable(self) -> bool:
        """Say yes."""
        return True

    def _send(self, text: str) -> None:
        if text:
            self._outlet.write(text.encode(self.encoding, self.errors))
