"""Daemon: leave the terminal, but not before saying how the start went.

shell ── foreground ──── waits for a byte ────────► exit with that status
             └ between ─ setsid, exit
                   └ daemon ── starts … ── ready or failed ── serves
"""

import os
import stat
import sys

from prefork.errors import EXIT_OK, EXIT_REFUSED, SystemRefusal
from prefork.system.signals import end_at_once, handle_again
from prefork.system.stdin import STDERR, STDIN, STDOUT, is_listening, silence


class Handshake:
    """What the daemon owes to the foreground process: one byte, its exit status."""

    __slots__ = ("_pipe",)

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def ready(self, *, keep_stderr: bool = False) -> None:
        """Let the foreground process exit 0, and go silent.

        Output that was redirected to a file stays: somebody wants it there.
        Raises SystemRefusal if nobody waits any more: the start was interrupted,
        and must not leave a daemon behind.
        """
        # First silent: after the byte the terminal belongs to the shell again.
        for fd in (STDOUT,) if keep_stderr else (STDOUT, STDERR):
            if not is_file(fd):
                silence(fd)
        try:
            self._tell(EXIT_OK)
        except BrokenPipeError:
            raise SystemRefusal("the start was interrupted (start again)") from None

    def failed(self, status: int) -> None:
        """Let the foreground process exit with `status`; the reason is on stderr."""
        try:
            self._tell(status)
        except BrokenPipeError:
            return  # nobody waits for it

    def _tell(self, status: int) -> None:
        pipe, self._pipe = self._pipe, -1
        if pipe < 0:
            return  # once said, it stays said
        try:
            os.write(pipe, bytes([status]))
        finally:
            os.close(pipe)


def detach() -> Handshake:
    """Go on in a daemon: a new session, no terminal, stdin empty.

    Returns in the daemon only; the process that called waits there for the
    handshake and exits.  Until then stdout and stderr stay as they are, so that
    whoever typed the command sees why it fails.  Call it before there are threads,
    locks, or signal handlers, and with 0, 1 and 2 open.
    """
    for stream in sys.stdout, sys.stderr:
        if stream is not None:  # so it is if it was closed when we were started
            stream.flush()  # or both processes would print what is buffered
    # ^C ends the foreground process where it stands: an exception would run clean-up
    # that is the daemon's, and status 0 would tell that it serves.
    handlers = end_at_once()
    verdict, pipe = os.pipe()
    if os.fork():
        os.close(pipe)
        os._exit(_wait_verdict(verdict))
    os.close(verdict)
    os.setsid()
    # setsid(2) made us leader of the session.  Its leader could still be given a
    # terminal, by opening one; a child of the leader's cannot.
    if os.fork():
        os._exit(EXIT_OK)
    handle_again(handlers)
    if not is_listening():  # else it is left empty by whoever listens there
        silence(STDIN)
    return Handshake(pipe)


def _wait_verdict(verdict: int) -> int:
    if said := os.read(verdict, 1):
        return said[0]
    # Every copy of the pipe is closed, and nothing was said: it is dead.
    os.write(STDERR, b"prefork: the daemon died while it was starting\n")
    return EXIT_REFUSED


def is_file(fd: int) -> bool:
    """Is it one that somebody has redirected it to?  Then it outlives the terminal."""
    return stat.S_ISREG(os.fstat(fd).st_mode)
