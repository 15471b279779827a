"""One answer on its way out: the gateway's words, framed and sent."""

import io
import os
import select
import socket
import stat
import time
from dataclasses import dataclass
from typing import BinaryIO

from prefork.errors import ClientGone, ProtocolError, RequestAborted
from prefork.protocols.lull import is_by_proxy
from prefork.protocols.request import Answer, Headers
from prefork.system.farewell import has_left
from prefork.worker.client import Client
from prefork.worker.outgoing import FilePart
from prefork.worker.waiting import Waiting

LOOK_EVERY = 500_000_000  # nanoseconds between two looks whether it is wanted at all
NEVER = 1 << 63  # of those nanoseconds
SEND_AHEAD = 1 << 20  # bytes held for a slow reader before the application waits
ENOUGH = SEND_AHEAD // 2  # bytes at which one that need not wait had better not go on


@dataclass(frozen=True, slots=True)
class Terms:
    """What all replies of a worker have in common."""

    waiting: Waiting
    write_timeout: float  # seconds
    may_sendfile: bool


class Reply:
    """Implements protocols.request.Reply over one client."""

    __slots__ = (
        "_answer",
        "_client",
        "_date",
        "_look_at",
        "_may_leave",
        "_request",
        "_terms",
        "headers",
        "is_abandoned",
        "is_aborted",
        "looks_whole",
        "started",
        "status",
    )

    def __init__(
        self, client: Client, terms: Terms, *, date: str, may_keep: bool, now: int
    ) -> None:
        """`now`: monotonic nanoseconds."""
        request = client.request
        assert request is not None
        self._client = client
        self._request = request
        self._terms = terms
        self._date = date
        self._answer: Answer = client.conversation.answer(
            request, date=date, keep_alive=may_keep
        )
        self._look_at = now + LOOK_EVERY
        self._may_leave = not client.door.is_unix  # where that is told at once
        self.started = False
        self.is_aborted = False  # in the middle: it must not look whole
        self.is_abandoned = False  # and the front end knows
        self.looks_whole = False  # although it is not
        self.status = ""
        self.headers: Headers = ()

    @property
    def keep_alive(self) -> bool:
        """Once the answer is over: may the connection carry another request?"""
        is_over = self.started or self.is_abandoned
        return is_over and self._answer.keep_alive and not self.is_aborted

    @property
    def problem(self) -> str:
        return self._answer.problem

    @property
    def sent(self) -> int:
        """Bytes of the body that were given to the socket, or wait for it."""
        return self._answer.sent

    def send(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> None:
        self._look_if_due()
        answer = self._begin()
        data = answer.start(status, headers, chunk, complete=complete)
        self._has_started(status, headers)
        if not complete and answer.ends_by_closing:
            self._client.begin_open_end()
        self._client.transmit(data)
        if not complete:
            self._hold_back()

    def send_file(self, status: str, headers: Headers, file: BinaryIO) -> bool:
        stretch = _stretch_of(file) if self._terms.may_sendfile else None
        if stretch is None:
            return False
        offset, length = stretch
        answer = self._begin()
        if (start := answer.start_file(status, headers, length)) is None:
            return False
        head, length = start
        self._has_started(status, headers)
        self._client.transmit(head)
        self._client.transmit_file(FilePart(file, offset, length))
        return True

    def pass_on(self, status: str, headers: Headers, response: bytes) -> bool:
        data = self._begin().pass_on(status, response)
        if data is None:
            return False
        self._has_started(status, headers)
        self._client.begin_open_end()
        self._client.transmit(data)
        return True

    def write(self, chunk: bytes) -> None:
        self._look_if_due()
        data = self._answer.chunk(chunk)
        if data:
            self._client.transmit(data)
            self._hold_back()

    def end(self) -> None:
        data = self._answer.end()
        if data:
            self._client.transmit(data)
        self._client.is_cut = False

    def complain(self, text: bytes) -> None:
        self._answer.complain(text)

    def fail(self, text: bytes, *, status: int = 1) -> None:
        self._answer.fail(text, status=status)

    def watch(self) -> tuple[int, int]:
        events = select.POLLRDHUP if self._may_leave else 0
        if self._client.outgoing:
            events |= select.POLLOUT
        if self._may_be_abandoned():
            events |= select.POLLIN
        return self._client.fd, events

    def hear(self, events: int) -> None:
        if events & ~(select.POLLOUT | select.POLLIN) and self._has_left(events):
            raise ClientGone("the client left")
        if events & select.POLLIN:
            self._look()
            self._look_at = NEVER  # it would be told for ever
        self._client.flush()

    @property
    def lull(self) -> float:
        return self._answer.lull

    @property
    def is_full(self) -> bool:
        outgoing = self._client.outgoing
        return outgoing is not None and outgoing.size > ENOUGH

    @property
    def patience(self) -> float:
        return self._terms.write_timeout

    def abort(self) -> None:
        self.is_aborted = True
        # Its end is that of the connection, and of a unix socket there is but one kind.
        is_unix = self._client.door.is_unix
        self.looks_whole = self._answer.ends_by_closing and is_unix

    def give_up(self, gone: ClientGone) -> None:
        """The request broke off in the middle: say why, if it can still be said."""
        if isinstance(gone, RequestAborted):
            self._abandon(gone)
            return
        self.is_aborted = True
        if self.started:
            return
        error = ProtocolError(gone.reason, status=gone.status)
        self.status = str(gone.status)
        try:
            self._client.transmit(
                self._client.conversation.refuse(error, date=self._date)
            )
        except ClientGone:
            pass  # nobody to hear it

    def _has_left(self, events: int) -> bool:
        """A TCP client that closes cannot be told from one that has only stopped to
        send.  Web servers do not do that while they wait for an answer; a client may,
        and then wants it all the same.  What is sent to one that has closed comes back
        as an error."""
        self._may_leave = bool(events & (select.POLLHUP | select.POLLERR))
        if self._may_leave or self._is_for_another():
            return True
        connection = socket.socket(fileno=self._client.fd)
        try:
            return has_left(connection)
        finally:
            connection.detach()

    def _is_for_another(self) -> bool:
        """Is it a web server, which asks for a client of its own?"""
        is_front_end = self._client.conversation.is_front_end
        return is_front_end or is_by_proxy(self._request.variables)

    def _abandon(self, gone: RequestAborted) -> None:
        """Nobody wants it: close it in the words of the protocol, and go on."""
        self.is_abandoned = True
        self.status = self.status or str(gone.status)
        self._client.is_cut = False
        try:
            self._client.transmit(self._answer.abandon())
        except ClientGone:
            self.is_aborted = True

    def _look_if_due(self) -> None:
        """Who waits for long may want it no more.  RequestAborted."""
        now = time.monotonic_ns()
        if now > self._look_at:
            self._look_at = now + LOOK_EVERY
            if self._may_be_abandoned():
                self._look()

    def _may_be_abandoned(self) -> bool:
        """Would it stand behind the request: has all of that been read?"""
        if self._look_at == NEVER or not self._answer.abortion:
            return False
        body = self._request.body
        return body is None or body.done

    def _look(self) -> None:
        if self._client.peek().startswith(self._answer.abortion):
            self._request.may_go_on = True  # with that, which is still to be read
            raise RequestAborted("the front end has aborted the request")

    def _begin(self) -> Answer:
        """Decided as late as this: by now the body may have been read."""
        answer, request = self._answer, self._request
        request.invitation = b""  # inside an answer it would be its body
        body = request.body
        if body is not None and not (body.done or body.may_be_left):
            answer.keep_alive = False
        return answer

    def _has_started(self, status: str, headers: Headers) -> None:
        self.started = True
        self.status = status
        self.headers = headers

    def _hold_back(self) -> None:
        """Make the application wait for a reader who is far behind."""
        while (outgoing := self._client.outgoing) and outgoing.size > SEND_AHEAD:
            if not self._terms.waiting.wait_writable(
                self._client.fd, self._terms.write_timeout
            ):
                raise ClientGone("the client does not take its answer")
            self._client.flush()


def _stretch_of(file: BinaryIO) -> tuple[int, int] | None:
    """Offset and length of what is left of a regular file; None for others."""
    # gzip's files and their like have the descriptor of what they decompress.
    if not isinstance(getattr(file, "raw", file), io.FileIO):
        return None
    try:
        status = os.fstat(file.fileno())
        offset = file.tell()
    except (OSError, ValueError):
        return None
    # Those of /proc are regular, and have no size until they are read.
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return None
    return offset, max(0, status.st_size - offset)
