"""One answer on its way out: the gateway's words, framed and sent."""

import io
import os
import select
import stat
import time
from dataclasses import dataclass
from typing import BinaryIO

from prefork.errors import ClientGone, ProtocolError, RequestAborted
from prefork.protocols.lull import is_by_proxy
from prefork.protocols.request import Answer, Headers
from prefork.system.half_close import has_left
from prefork.worker.client import Client, as_socket
from prefork.worker.outgoing import FilePart
from prefork.worker.waiting import Waiting

LOOK_EVERY = 500_000_000  # nanoseconds between two looks for an abort
NEVER = 1 << 63  # nanoseconds: a moment that does not come
SEND_AHEAD = 1 << 20  # bytes held for a slow reader before the application waits
ENOUGH = SEND_AHEAD // 2  # bytes held at which a gateway that can pause is told to


@dataclass(frozen=True, slots=True)
class ReplyTerms:
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
        self, client: Client, terms: ReplyTerms, *, date: str, may_keep: bool, now: int
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
        # Whether to watch for a client that stops to send, as one does that leaves.
        # On a unix socket POLLHUP tells of leaving, and that need not be watched for.
        self._may_leave = not client.door.is_unix
        self.started = False
        self.is_aborted = False  # in the middle: it must not look whole
        self.is_abandoned = False  # closed as the protocol has it: nobody wants it
        self.looks_whole = False  # although it is aborted
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
            self._look_at = NEVER  # what is not an abort stays unread, and readable
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
        # Where only the end of the connection ends it, a reset says that it is cut;
        # unix sockets have none.
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
        """Has it closed, or only stopped to send?

        By TCP the two look alike.  Web servers do not stop to send while they wait
        for an answer; another client may, and wants the answer all the same.  Sending
        to one that has closed fails, so it is enough to ask once.
        """
        self._may_leave = bool(events & (select.POLLHUP | select.POLLERR))
        if self._may_leave or self._is_for_another():
            return True
        with as_socket(self._client.fd) as connection:
            return has_left(connection)

    def _is_for_another(self) -> bool:
        """Is it a web server, which asks for a client of its own?"""
        is_front_end = self._client.conversation.is_front_end
        return is_front_end or is_by_proxy(self._request.variables)

    def _abandon(self, gone: RequestAborted) -> None:
        """Nobody wants the answer: close it as the protocol has it; the connection
        goes on."""
        self.is_abandoned = True
        self.status = self.status or str(gone.status)
        self._client.is_cut = False
        try:
            self._client.transmit(self._answer.abandon())
        except ClientGone:
            self.is_aborted = True

    def _look_if_due(self) -> None:
        """Has the front end aborted the request meanwhile?  RequestAborted."""
        now = time.monotonic_ns()
        if now > self._look_at:
            self._look_at = now + LOOK_EVERY
            if self._may_be_abandoned():
                self._look()

    def _may_be_abandoned(self) -> bool:
        """Could an abort be what follows: is there such a thing in this protocol, and
        has all of the request been read?"""
        if self._look_at == NEVER or not self._answer.abortion:
            return False
        body = self._request.body
        return body is None or body.done

    def _look(self) -> None:
        if self._client.peek().startswith(self._answer.abortion):
            self._request.may_go_on = True  # the abort itself is still to be read
            raise RequestAborted("the front end has aborted the request")

    def _begin(self) -> Answer:
        """The answer, about to start; whether the connection can be kept is decided
        only now, by when the body may have been read."""
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
