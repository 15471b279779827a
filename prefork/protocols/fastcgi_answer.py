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


class FastcgiAnswer:
    """One answer: start, then chunks, then end; or start alone if complete.

    Head and first chunk are in one record, because HAProxy 2.6 does not survive a
    head in two, and in one piece with the end if there is nothing in between.
    """

    __slots__ = ("_answer", "_has_failed", "_is_over", "_number")

    ends_by_closing = False

    def __init__(self, request: Request, number: int, *, keep_alive: bool) -> None:
        self._answer = CgiAnswer(request, keep_alive=keep_alive)
        self._number = number  # the request's id
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
        records = format_stream(STDOUT, self._number, data)
        return records + self._format_last() if complete else records

    def start_file(self, status: str, headers: Headers, size: int) -> None:
        """A file would have to be cut into records."""
        return None

    def chunk(self, data: bytes) -> bytes:
        """One more chunk; b"" when there is nothing to send."""
        return format_stream(STDOUT, self._number, self._answer.chunk(data))

    def end(self) -> bytes:
        """What closes the answer."""
        self._answer.end()
        return b"" if self._is_over else self._format_last()

    def complain(self, text: bytes) -> bytes:
        """Something for the front end's error log; nothing once the end was sent."""
        return b"" if self._is_over else format_stream(STDERR, self._number, text)

    def fail(self, text: bytes) -> bytes:
        """The application has failed: say so in the error log, and at the end."""
        self._has_failed = True
        return self.complain(text)

    def _format_last(self) -> bytes:
        self._is_over = True
        return format_last(
            self._number,
            application=int(self._has_failed),
            protocol=REQUEST_COMPLETE,
        )
