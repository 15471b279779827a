"""An answer over FastCGI: CGI's words, packed into records."""

from prefork.protocols.answer import CgiAnswer
from prefork.protocols.fastcgi_records import (
    REQUEST_COMPLETE,
    STDERR,
    STDOUT,
    format_abortion,
    format_end,
    format_last,
    format_stream,
)
from prefork.protocols.request import Headers, Request

MOST_COMPLAINTS = 4096  # bytes between two pieces of output; the log has them all


class FastcgiAnswer(CgiAnswer):
    """One answer: start, then chunks, then end; or start alone if complete.

    Head and first chunk are in one record, because HAProxy 2.6 does not survive a
    head in two, and in one piece with the end if there is nothing in between.  Nor
    does it survive to read a STDERR record with nothing behind it, or the half of
    one: complaints wait, and leave in front of what is sent next.
    """

    __slots__ = ("_complaints", "_exit_status", "_is_over", "_number")

    def __init__(self, request: Request, number: int, *, keep_alive: bool) -> None:
        super().__init__(request, keep_alive=keep_alive)
        self._number = number  # the request's id
        self._complaints = b""
        self._exit_status = 0  # what a CGI program would have left with
        self._is_over = False

    @property
    def abortion(self) -> bytes:
        """The beginning of an ABORT_REQUEST."""
        return format_abortion(self._number)

    def start(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> bytes:
        """The head and the first chunk.  `complete`: no other chunk follows."""
        head = self._format_head(status, headers, len(chunk) if complete else None)
        data = head + self._end_head() + self._cut(chunk)
        records = format_stream(STDOUT, self._number, data)
        if self._complaints:
            records = self._format_complaints() + records
        return records + self.end() if complete else records

    def start_file(
        self, status: str, headers: Headers, size: int
    ) -> tuple[bytes, int] | None:
        """None: a file would have to be cut into records."""
        return None

    def chunk(self, data: bytes) -> bytes:
        """One more chunk; b"" when there is nothing to send."""
        records = format_stream(STDOUT, self._number, self._cut(data))
        return self._format_complaints() + records if records else b""

    def end(self) -> bytes:
        """What closes the answer."""
        if self._is_over:
            return b""
        self._finish()
        self._is_over = True
        last = format_last(
            self._number, application=self._exit_status, protocol=REQUEST_COMPLETE
        )
        return self._format_complaints() + last if self._complaints else last

    def abandon(self) -> bytes:
        """What closes an answer, even one not begun, that nobody wants any more."""
        # FastCGI specification 5.4: "After receiving {FCGI_ABORT_REQUEST, R}, the
        # application responds as soon as possible with {FCGI_END_REQUEST, R,
        # {FCGI_REQUEST_COMPLETE, appStatus}}."
        if self._is_over:
            return b""
        self._is_over = True
        return format_end(self._number, application=self._exit_status)

    def complain(self, text: bytes) -> None:
        """Something for the front end's error log, with what is sent next."""
        self._complaints = (self._complaints + text)[:MOST_COMPLAINTS]

    def fail(self, text: bytes, *, status: int = 1) -> None:
        """The application has failed: say so in that log, and at the end."""
        self._exit_status = status
        self.complain(text)

    def _format_complaints(self) -> bytes:
        text, self._complaints = self._complaints, b""
        return format_stream(STDERR, self._number, text)
