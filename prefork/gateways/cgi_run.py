"""One run of a CGI program: body in, document out, both at once.

Nothing here waits for one end alone: a program that writes before it reads, reads
nothing, or closes early gets its answer through all the same.
"""

import select
import signal
from collections.abc import Callable
from os import read
from typing import Protocol

from prefork.errors import ClientGone
from prefork.gateways.cgi_head import HEADS, LONGEST_HEAD, Head, find_end
from prefork.gateways.cgi_source import Open, Source
from prefork.protocols.request import Reply

PIECE = 65536  # bytes read from a program at once
LONGEST_TALE = 65536  # bytes of stderr that are told in one piece: all of a pipe
TERM_GRACE = 2.0  # seconds between TERM and KILL
LAST_STEPS = 1.0  # seconds for a program to exit after it has closed its output
MOMENT = 0.05  # seconds to see whether it does at once


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


class Run:
    """Pumps until the program's document is complete, or its client is gone.

    `told(text)` gets what it writes to stderr; `failed(status)` is called if it exits
    with one, and there still is somebody to tell; `alive(seconds)` when something
    moved: it may take that long until the next call.  `open_scratch` is
    system/scratch.py's.
    """

    def __init__(
        self,
        program: Running,
        source: Source,
        reply: Reply,
        *,
        patience: float,
        told: Callable[[bytes], None],
        failed: Callable[[int], None],
        alive: Callable[[float], None],
        open_scratch: Open,
    ) -> None:
        self._program = program
        self._source = source
        self._reply = reply
        self._patience = patience
        self._told = told
        self._failed = failed
        self._alive = alive
        self._open_scratch = open_scratch
        self._pidfd = program.pidfd
        self._output = b""  # what came before the head was complete
        self._is_complete = False  # its output has ended
        self._is_sent = False  # and our answer with it
        self._has_failed = False  # and that is told
        self.head: Head | None = None
        self.redirect = ""

    def pump(self) -> None:
        """Raises ClientGone, Timeout, and ValueError for output that is no answer."""
        self._pour()
        while not self._is_complete:
            ready = self._wait()
            self._pour()
            if self._program.stderr in ready:
                self._read_stderr()
            if self._program.stdout in ready or self._pidfd in ready:
                self._read_output(has_exited=self._pidfd in ready)
        self._finish()

    # Waiting

    def _wait(self) -> set[int]:
        """The descriptors that have something for us."""
        program, source = self._program, self._source
        poll = select.poll()
        poll.register(program.stdout, select.POLLIN)
        poll.register(self._pidfd, select.POLLIN)
        if program.stderr >= 0:
            poll.register(program.stderr, select.POLLIN)
        if program.stdin >= 0 and source.has_piece:
            poll.register(program.stdin, select.POLLOUT)
        client, goodbye = self._reply.watch()
        is_wanted = program.stdin >= 0 and source.fd >= 0
        # A body that ends in the middle tells so itself.
        poll.register(client, select.POLLIN if is_wanted else goodbye)
        seconds = source.left() if is_wanted else self._patience or None
        self._set_alive(seconds)
        ready = dict(poll.poll(None if seconds is None else seconds * 1000))
        if not ready and is_wanted:
            raise ClientGone("the body arrived too slowly", status=408)
        if not ready:
            raise Timeout
        if client in ready and not is_wanted:
            self._reply.hear(ready[client])
        return set(ready)

    def _set_alive(self, seconds: float | None) -> None:
        self._alive(seconds + TERM_GRACE + LAST_STEPS if seconds is not None else 0.0)

    # What the program reads

    def _pour(self) -> None:
        """Give it what there is, as far as it takes that."""
        program, source = self._program, self._source
        while program.stdin >= 0:
            source.refill()
            if not source.has_piece:
                break
            self._set_alive(self._patience or None)
            try:
                source.pour(program.stdin)
            except BrokenPipeError:
                program.close_stdin()  # it wants no more, and may answer all the same
            if source.has_piece:
                return
        if source.is_over:
            program.close_stdin()

    # What it writes

    def _read_stderr(self) -> None:
        try:
            data = read(self._program.stderr, LONGEST_TALE)
        except BlockingIOError:
            return
        if data:
            self._told(data)
        else:
            self._program.close_stderr()

    def _read_output(self, *, has_exited: bool) -> None:
        """Take what there is.  It is complete at its end; or when the program has
        exited, though a child that it left behind still holds the pipe."""
        while True:
            try:
                data = read(self._program.stdout, PIECE)
            except BlockingIOError:
                self._is_complete = has_exited
                break
            self._is_complete = not data
            self._output += data
            # A full pipe has one such piece; more can wait for the next turn.
            if not data or len(self._output) >= PIECE:
                break
        if self._is_complete:  # and usually it exits in the same moment
            self._note_exit(within=MOMENT)
        self._relay()

    def _note_exit(self, *, within: float) -> None:
        program = self._program
        if not program.has_ended() and self._wait_exit(within):
            program.has_ended()
        status = program.status
        if status and not self._has_failed:
            self._has_failed = True
            self._failed(status)

    def _relay(self) -> None:
        """Send what can be sent."""
        if self.head is None and not self._read_head():
            return
        assert self.head is not None
        if self.head.redirect and not self._is_document():
            return
        data, self._output = self._output, b""
        if self._reply.started:
            if data:
                self._reply.write(data)
        elif data or self._is_complete:
            if not self._is_complete:
                self._hear_out()
            self._is_sent = self._is_complete
            self._reply.send(
                self.head.status, self.head.headers, data, complete=self._is_sent
            )

    def _hear_out(self) -> None:
        """Receive the rest of the body before the answer begins: some send no more of
        it then, as nginx, and the program may still wait for it."""
        if self._program.stdin >= 0 and not self._wait_exit(MOMENT):
            self._source.receive(self._open_scratch)

    def _read_head(self) -> bool:
        span = find_end(self._output)
        if span is None:
            if len(self._output) > LONGEST_HEAD:
                raise ValueError("a head without an end")
            return False
        self.head = HEADS[self._output[: span[0]]]
        self._output = self._output[span[1] :]
        return True

    def _is_document(self) -> bool:
        """What looks like a local redirect is none if something follows."""
        assert self.head is not None
        if self._output:
            self.head = Head(self.head.status, self.head.headers)
        elif self._is_complete:
            self.redirect = self.head.redirect
        return bool(self._output)

    def _finish(self) -> None:
        if self.head is None:
            what = "a head without an end" if self._output else "no output"
            raise ValueError(what)
        if self._reply.started and not self._is_sent:
            self._reply.end()

    # The end of the program

    def end(self, *, kill: bool) -> bool:
        """Take leave of the program; True if it has ended.

        `kill`: end it and what it has started at once; else it has a second to exit,
        after which nobody would look for it any more.
        """
        program = self._program
        program.close_stdin()
        program.close_stdout()
        if kill:
            self._has_failed = True  # that it did not end well we know
        else:
            self._note_exit(within=LAST_STEPS)
        if program.status is None:
            # Not reaped in between: the number of its group stays its own.
            program.signal_group(signal.SIGTERM)
            self._wait_exit(TERM_GRACE)
            program.signal_group(signal.SIGKILL)
            self._note_exit(within=LAST_STEPS)
        if program.stderr >= 0:
            self._read_stderr()
        program.close()
        return program.has_ended()

    def _wait_exit(self, seconds: float) -> bool:
        """Has it exited within that time?"""
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
