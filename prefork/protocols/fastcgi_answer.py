"""An answer over FastCGI: CGI's words, packed into records."""

from prefork.protocols.answer import CgiAnswer
from prefork.protocols.fastcgi_records import (
    REQUEST_COMPLETE,
    STDERR,
    STDOUT,
    format_last,
    format_stream,
)
from prefork.protocols.request import Headers, Request

MOST_COMPLAINTS = 4096  # bytes between two pieces of output; the log has them all


class FastcgiAnswer:
    """One answer: start, then chunks, then end; or start alone if complete.

    Head and first chunk are in one record, because HAProxy 2.6 does not survive a
    head in two, and in one piece with the end if there is nothing in between.  Nor
    does it survive to read a STDERR record with nothing behind it, or the half of
    one: complaints wait, and leave in front of what is sent next.
    """

    __slots__ = ("_answer", "_complaints", "_has_failed", "_is_over", "_number")

    ends_by_closing = False

    def __init__(self, request: Request, number: int, *, keep_alive: bool) -> None:
        self._answer = CgiAnswer(request, keep_alive=keep_alive)
        self._number = number  # the request's id
        self._complaints = b""
        self._has_failed = False
        self._is_over = False

    @property
    def keep_alive(self) -> bool:
        return self._answer.keep_alive

    @property
    def problem(self) -> str:
        return self._answer.problem

    @property
    def sent(self) -> int:
        return self._answer.sent

    def start(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> bytes:
        """The head and the first chunk.  `complete`: no other chunk follows."""
        data = self._answer.start(status, headers, chunk, complete=complete)
        records = self._format_output(data)
        return records + self._format_last() if complete else records

    def start_file(self, status: str, headers: Headers, size: int) -> None:
        """A file would have to be cut into records."""
        return None

    def chunk(self, data: bytes) -> bytes:
        """One more chunk; b"" when there is nothing to send."""
        return self._format_output(self._answer.chunk(data))

    def end(self) -> bytes:
        """What closes the answer."""
        self._answer.end()
        return b"" if self._is_over else self._format_last()

    def complain(self, text: bytes) -> bytes:
        """Something for the front end's error log: kept for what is sent next."""
        self._complaints = (self._complaints + text)[:MOST_COMPLAINTS]
        return b""

    def fail(self, text: bytes) -> bytes:
        """The application has failed: say so in the error log, and at the end."""
        self._has_failed = True
        return self.complain(text)

    def _format_output(self, data: bytes) -> bytes:
        records = format_stream(STDOUT, self._number, data)
        if self._complaints and records:
            records = self._format_complaints() + records
        return records

    def _format_complaints(self) -> bytes:
        text, self._complaints = self._complaints, b""
        return format_stream(STDERR, self._number, text)

    def _format_last(self) -> bytes:
        self._is_over = True
        complaints = self._format_complaints() if self._complaints else b""
        return complaints + format_last(
            self._number,
            application=int(self._has_failed),
            protocol=REQUEST_COMPLETE,
        )
