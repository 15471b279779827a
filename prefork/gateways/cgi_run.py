"""One run of a CGI program: body in, document out, both at once.

Nothing here waits for one end alone: a program that writes before it reads, reads
nothing, or closes early gets its answer through all the same.
"""

import select
import signal
from collections.abc import Callable
from os import close as close_fd
from os import pidfd_open, read, write
from typing import BinaryIO, Protocol

from prefork.errors import ClientGone
from prefork.gateways.cgi_head import LONGEST_HEAD, Head, find_end, parse_head
from prefork.protocols.request import Reply

PIECE = 65536  # bytes read from a program at once
LONGEST_TALE = 8192  # bytes of stderr that are logged in one piece
TERM_GRACE = 2.0  # seconds between TERM and KILL
LAST_STEPS = 1.0  # seconds for a program to exit after it has closed its output


class Running(Protocol):
    """A program that has been started: system/program.py."""

    pid: int
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


class Source:
    """The body on its way into the program, a piece at a time."""

    def __init__(self, body: BinaryIO | None) -> None:
        # What has arrived whole is in memory; the rest comes through the raw
        # stream below a buffer, which can be asked without waiting.
        self._arriving = getattr(body, "raw", None)
        whole = body.read() if body is not None and self._arriving is None else b""
        self._piece = memoryview(whole)
        self.is_over = self._arriving is None and not whole
        self.refill()

    @property
    def fd(self) -> int:
        """The connection to wait for when there is nothing to give; -1: none."""
        if self._arriving is None or self._piece or self.is_over:
            return -1
        fd: int = self._arriving.fileno()
        return fd

    @property
    def has_piece(self) -> bool:
        return bool(self._piece)

    def refill(self) -> None:
        """Take what has arrived; ClientGone if no more will."""
        if self._piece or self._arriving is None or self.is_over:
            return
        data = self._arriving.read_available()
        if data is not None:
            self._piece = memoryview(data)
            self.is_over = not data

    def pour(self, fd: int) -> None:
        """Give the program what it takes.  BrokenPipeError: it takes no more."""
        try:
            count = write(fd, self._piece)
        except BlockingIOError:
            return
        self._piece = self._piece[count:]
        self.is_over = self.is_over or (not self._piece and self._arriving is None)


class Timeout(Exception):
    """The program has been silent for too long."""


class Run:
    """Pumps until the program's document is complete, or its client is gone.

    `told(text)` gets what it writes to stderr; `alive(seconds)` is called when
    something moved: it may take that long until the next call.
    """

    def __init__(
        self,
        program: Running,
        body: BinaryIO | None,
        reply: Reply,
        *,
        patience: float,
        told: Callable[[bytes], None],
        alive: Callable[[float], None],
    ) -> None:
        self._program = program
        self._source = Source(body)
        self._reply = reply
        self._patience = patience
        self._told = told
        self._alive = alive
        self._pidfd = pidfd_open(program.pid)
        self._output = b""  # what came before the head was complete
        self._is_complete = False  # its output has ended
        self._is_sent = False  # and our answer with it
        self.head: Head | None = None
        self.redirect = ""

    def pump(self) -> None:
        """Raises ClientGone, Timeout, and ValueError for output that is no answer."""
        self._set_alive()
        while not self._is_complete:
            ready = self._wait()
            if not ready:
                raise Timeout
            self._set_alive()
            self._pour(ready)
            if self._program.stderr in ready:
                self._read_stderr()
            if self._program.stdout in ready or self._pidfd in ready:
                self._read_output(has_exited=self._pidfd in ready)
        self._finish()

    def _set_alive(self) -> None:
        patience = self._patience
        self._alive(patience + TERM_GRACE + LAST_STEPS if patience else 0.0)

    def _wait(self) -> dict[int, int]:
        """Events by descriptor; none when it took too long."""
        poll, program, source = select.poll(), self._program, self._source
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
        ready = dict(poll.poll(self._patience * 1000 if self._patience else None))
        if client in ready and not is_wanted:
            raise ClientGone("the client left")
        return ready

    def _pour(self, ready: dict[int, int]) -> None:
        program, source = self._program, self._source
        if program.stdin < 0:
            return
        if source.fd in ready:
            source.refill()
        try:
            if source.has_piece:
                source.pour(program.stdin)
        except BrokenPipeError:
            program.close_stdin()  # it wants no more, and may answer all the same
        if source.is_over and not source.has_piece:
            program.close_stdin()

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
        """Take all there is.  It is complete at its end; or when the program has
        exited, though a child that it left behind still holds the pipe."""
        while not self._is_complete:
            try:
                data = read(self._program.stdout, PIECE)
            except BlockingIOError:
                self._is_complete = has_exited
                break
            self._is_complete = not data
            self._output += data
            if len(self._output) >= PIECE:
                self._relay()
        self._relay()

    def _relay(self) -> None:
        """Send what can be sent."""
        if self.head is None and not self._read_head():
            return
        if self.head is None or (self.head.redirect and not self._is_redirected()):
            return
        data, self._output = self._output, b""
        if not self._reply.started:
            if self.redirect or (not data and not self._is_complete):
                return
            self._is_sent = self._is_complete
            self._reply.send(
                self.head.status, self.head.headers, data, complete=self._is_sent
            )
        elif data:
            self._reply.write(data)

    def _read_head(self) -> bool:
        span = find_end(self._output)
        if span is None:
            if len(self._output) > LONGEST_HEAD:
                raise ValueError("a head without an end")
            return False
        self.head = parse_head(self._output[: span[0]])
        self._output = self._output[span[1] :]
        return True

    def _is_redirected(self) -> bool:
        """Is it known whether a local redirect is one?  Not until a document
        follows, or does not."""
        assert self.head is not None
        if self._output:
            self.head = Head("302 Found", self.head.headers)
        elif self._is_complete:
            self.redirect = self.head.redirect
        return bool(self._output or self._is_complete)

    def _finish(self) -> None:
        if self.head is None:
            what = "a head without an end" if self._output else "no output"
            raise ValueError(what)
        if self._reply.started and not self._is_sent:
            self._reply.end()

    # The end of the program

    def end(self, *, kill: bool) -> bool:
        """Take leave of the program; True if it has ended.

        `kill`: end it and what it has started; else it has a second to exit.
        """
        program = self._program
        program.close_stdin()
        program.close_stdout()
        if kill:
            # Not reaped in between: the number of its group stays its own.
            program.signal_group(signal.SIGTERM)
            self._wait_exit(TERM_GRACE)
            program.signal_group(signal.SIGKILL)
        self._wait_exit(LAST_STEPS)
        if program.stderr >= 0:
            self._read_stderr()
        program.close()
        close_fd(self._pidfd)
        return program.has_ended()

    def _wait_exit(self, seconds: float) -> None:
        poll = select.poll()
        poll.register(self._pidfd, select.POLLIN)
        poll.poll(seconds * 1000)
