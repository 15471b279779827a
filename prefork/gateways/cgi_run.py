"""One run of a CGI program: body in, document out, both at once.

Nothing here waits for one end alone: a program that writes before it reads, reads
nothing, or closes early gets its answer through all the same.
"""

import select
import signal
from collections.abc import Callable
from os import read
from time import monotonic
from typing import Protocol

from prefork.errors import ClientGone
from prefork.gateways.cgi_document import Document
from prefork.gateways.cgi_source import Open, Source
from prefork.protocols.request import Reply

PIECE = 65536  # bytes read from a program at once
MOST_STDERR = 65536  # bytes that are told in one piece: what a pipe holds
TERM_GRACE = 2.0  # seconds between TERM and KILL
LAST_STEPS = 1.0  # seconds for a program to exit after it has closed its output
MOMENT = 0.05  # seconds to wait for that exit before the answer is sent


class Running(Protocol):
    """A program that has been started: system/program.py."""

    pid: int
    pidfd: int
    stdin: int
    stdout: int
    stderr: int
    status: int | None

    def close_stdin(self) -> None: ...
    def close_stdout(self) -> None: ...
    def close_stderr(self) -> None: ...
    def close(self) -> None: ...
    def has_ended(self) -> bool: ...
    def signal_group(self, number: int) -> None: ...


class Timeout(Exception):
    """The program has been silent for too long."""


class CgiRun:
    """Pumps until the program's document is complete, or its client is gone.

    `is_nph`: its output is a response of HTTP already (RFC 3875 5).  `told(text)` gets
    what it writes to stderr; `failed(status)` is called if it exits with one, and there
    still is somebody to tell; `alive(seconds)` when something moved: it may take that
    long until the next call.  `open_scratch` is system/scratch.py's.
    """

    def __init__(
        self,
        program: Running,
        source: Source,
        reply: Reply,
        *,
        is_nph: bool,
        patience: float,
        told: Callable[[bytes], None],
        failed: Callable[[int], None],
        alive: Callable[[float], None],
        open_scratch: Open,
    ) -> None:
        self._program = program
        self._source = source
        self._reply = reply
        self._document = Document(reply, is_nph=is_nph)
        self._patience = patience
        self._told = told
        self._failed = failed
        self._alive = alive
        self._open_scratch = open_scratch
        self._pidfd = program.pidfd
        self._is_complete = False  # its output has ended
        # The answer waits for more of the body: see protocols/lull.py.
        self._is_held = False
        self._quiet_since = 0.0  # while it is held: when the body last arrived
        self._took_at = 0.0  # when the client last took some of the answer
        self._has_failed = False  # and `failed` was told, or need not be

    @property
    def redirect(self) -> str:
        return self._document.redirect

    def pump(self) -> None:
        """Raises ClientGone, Timeout, and ValueError for output that is no answer."""
        self._feed()
        while not self._is_complete:
            ready = self._wait()
            self._feed()
            if self._program.stderr in ready:
                self._read_stderr()
            if self._program.stdout in ready or self._pidfd in ready:
                self._read_output(has_exited=self._pidfd in ready)
            elif self._is_held:
                self._relay(has_exited=False)
        self._document.finish()

    # Waiting

    def _wait(self) -> dict[int, int]:
        """The descriptors that have something for us, and what."""
        program, reply = self._program, self._reply
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        if not self._is_blocked:
            poll.register(program.stdout, select.POLLIN)
        if program.stderr >= 0:
            poll.register(program.stderr, select.POLLIN)
        if program.stdin >= 0:  # and beside that, whether it is closed
            poll.register(program.stdin, select.POLLOUT * self._source.has_more)
        client, events = reply.watch()
        is_wanted = self._wants_body()
        if is_wanted:  # to read the body then tells of a client that has left
            events = events & select.POLLOUT | select.POLLIN
        poll.register(client, events)
        seconds = self._find_patience(is_wanted=is_wanted)
        self._set_alive(seconds)
        ready = dict(poll.poll(None if seconds is None else seconds * 1000))
        if not ready:
            self._note_silence(is_wanted=is_wanted)
        if client in ready:
            self._hear(ready[client], is_wanted=is_wanted)
        if ready.get(program.stdin, 0) & select.POLLERR:
            program.close_stdin()  # it wants no more, and may answer all the same
        return ready

    @property
    def _is_blocked(self) -> bool:
        """Is its output left unread for the time being?"""
        return self._is_held or self._reply.is_full

    def _wants_body(self) -> bool:
        """Is more of the body to be received now?

        Not while the program has to read what is here; but if its output is left
        unread it may wait for us, and we for a client that sends all before it reads.
        """
        source = self._source
        # The program reads no more; but such a client has to get rid of the rest.
        if self._program.stdin < 0:
            return source.is_arriving and self._reply.is_full
        return source.is_arriving and (self._is_blocked or not source.has_more)

    def _find_patience(self, *, is_wanted: bool) -> float | None:
        """Seconds for which nothing may happen from now on; None: for ever."""
        now = monotonic()
        seconds = self._source.left() if is_wanted else 0.0
        if self._reply.is_full:  # a client is late if it neither sends nor takes
            return max(seconds, self._took_at + self._reply.patience - now)
        if self._is_held and is_wanted:
            return min(seconds, max(0.0, self._find_lull(now)))
        return seconds if is_wanted else self._patience or None

    def _find_lull(self, now: float) -> float:
        """Seconds of silence of the body after which the answer begins."""
        return self._quiet_since + self._reply.lull - now

    def _note_silence(self, *, is_wanted: bool) -> None:
        if self._is_held and self._find_lull(monotonic()) <= 0:
            return  # and the answer begins
        if self._reply.is_full:
            raise ClientGone("the client does not take its answer")
        if is_wanted:
            raise ClientGone("the body arrived too slowly", status=408)
        raise Timeout

    def _hear(self, events: int, *, is_wanted: bool) -> None:
        """The client can be read from, or written to; or it is gone."""
        now = monotonic()
        if events & select.POLLOUT:
            self._took_at = now
        if is_wanted:
            self._quiet_since = now
            events &= select.POLLOUT  # all else shows when the body is read
        if events:
            self._reply.hear(events)

    def _set_alive(self, seconds: float | None) -> None:
        self._alive(seconds + TERM_GRACE + LAST_STEPS if seconds is not None else 0.0)

    # What the program reads

    def _feed(self) -> None:
        """Give the program what there is of the body; keep what it does not take."""
        program, source = self._program, self._source
        if program.stdin < 0:
            if self._reply.is_full:
                source.discard()
            return
        source.refill()
        if source.has_more:
            try:
                source.pour(program.stdin)
            except BrokenPipeError:
                program.close_stdin()
        if source.is_over:
            program.close_stdin()
        if program.stdin >= 0 and self._is_blocked:
            source.keep(self._open_scratch)

    # What it writes

    def _read_stderr(self) -> None:
        try:
            data = read(self._program.stderr, MOST_STDERR)
        except BlockingIOError:
            return
        if data:
            self._told(data)
        else:
            self._program.close_stderr()

    def _read_output(self, *, has_exited: bool) -> None:
        """Take what there is.  It is complete at its end; or when the program has
        exited, though a child that it left behind still holds the pipe."""
        document = self._document
        while True:
            try:
                data = read(self._program.stdout, PIECE)
            except BlockingIOError:
                self._is_complete = has_exited
                break
            self._is_complete = not data
            document.add(data)
            # A full pipe has one such piece; more can wait for the next turn.
            if not data or document.size >= PIECE:
                break
        if self._is_complete:  # and usually it exits in the same moment
            self._note_exit(within=MOMENT)
            if (self._program.status or 0) < 0:
                # What it has written is not all that it would have.
                raise ValueError(f"ended by {describe(self._program.status or 0)}")
        self._relay(has_exited=has_exited)

    def _note_exit(self, *, within: float) -> None:
        program = self._program
        if not program.has_ended() and self._wait_exit(within):
            program.has_ended()
        status = program.status
        if status and not self._has_failed:
            self._has_failed = True
            self._failed(status)

    def _relay(self, *, has_exited: bool) -> None:
        """Send what can be sent."""
        document = self._document
        if document.is_ready(is_complete=self._is_complete):
            self._is_held = not has_exited and self._must_hold()
            if not self._is_held:
                self._took_at = monotonic()
                document.send(is_complete=self._is_complete)

    def _must_hold(self) -> bool:
        """Has the answer to wait for more of the body before it begins?"""
        if self._reply.started or self._is_complete:
            return False
        if self._program.stdin < 0 or not self._source.is_arriving:
            return False
        now = monotonic()
        if not self._is_held:
            self._quiet_since = now
        return self._find_lull(now) > 0

    # The end of the program

    def end(self, *, kill: bool) -> bool:
        """Take leave of the program; True if it has ended.

        `kill`: end it, and what it has started, now; else only if it does not exit by
        itself, within LAST_STEPS.
        """
        program = self._program
        program.close_stdin()
        program.close_stdout()
        if kill:
            self._has_failed = True  # that it did not end well we know
        else:
            self._note_exit(within=LAST_STEPS)
        if program.status is None:
            # It is not reaped in between, so that no other group has its number.
            program.signal_group(signal.SIGTERM)
            self._wait_exit(TERM_GRACE)
            program.signal_group(signal.SIGKILL)
            self._note_exit(within=LAST_STEPS)
        if program.stderr >= 0:
            self._read_stderr()
        program.close()
        return program.has_ended()

    def _wait_exit(self, seconds: float) -> bool:
        """Has it exited within that time?  Reads stderr meanwhile: a program that
        finds that pipe full does not exit."""
        until = monotonic() + seconds
        while True:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if self._program.stderr >= 0:
                poll.register(self._program.stderr, select.POLLIN)
            left = max(0.0, until - monotonic())
            ready = dict(poll.poll(left * 1000))
            if self._pidfd in ready or not left:
                return self._pidfd in ready
            if ready:
                self._read_stderr()


def describe(status: int) -> str:
    """How a program has exited."""
    if status > 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"  # of the real-time ones few have a name
