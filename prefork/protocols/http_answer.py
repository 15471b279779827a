"""An answer in HTTP/1: as in CGI, but for its first line and its framing."""

from prefork.errors import ProtocolError
from prefork.protocols.answer import CgiAnswer, check_status, format_refusal
from prefork.protocols.lull import find_lull_of_http
from prefork.protocols.memo import Memo
from prefork.protocols.request import Request


def format_status_line(status: str) -> str:
    code, phrase = check_status(status)
    return f"HTTP/1.1 {code} {phrase}"


def format_error(error: ProtocolError, *, date: str) -> bytes:
    """A whole answer that says nothing but the status, and closes."""
    more = f"Date: {date}\r\nConnection: close\r\n"
    return format_refusal("HTTP/1.1 ", error, more=more)


class HttpAnswer(CgiAnswer):
    """One answer: start, then chunks, then end; or start alone if complete."""

    __slots__ = ("_is_foreign",)

    first_lines = Memo(format_status_line)

    def __init__(self, request: Request, *, date: str = "", keep_alive: bool) -> None:
        super().__init__(request, date=date, keep_alive=keep_alive)
        self._is_foreign = False  # a response that is HTTP by itself

    @property
    def ends_by_closing(self) -> bool:
        """Once started: does nothing but the end of the connection end the body?"""
        return self._left is None and not self._has_chunks

    @property
    def lull(self) -> float:
        """Seconds without more of the body after which an answer may begin."""
        return find_lull_of_http(self._variables)

    def pass_on(self, status: str, response: bytes) -> bytes | None:
        """Begin a response that is one of HTTP already; chunks follow as they are."""
        self._is_foreign = True
        self.keep_alive = False  # nobody has looked where it ends
        return self.chunk(response)

    def chunk(self, data: bytes) -> bytes:
        """One more chunk, framed; b"" when there is nothing to send."""
        count = self._take(len(data))
        if not count:
            return b""  # a chunk of no bytes would be the last one
        if self._left is None and self._has_chunks:
            return b"%x\r\n%b\r\n" % (count, data)
        return data if count == len(data) else data[:count]

    def end(self) -> bytes:
        """What closes the answer; b"" when nothing does."""
        last = b"0\r\n\r\n" if self._left is None and self._has_chunks else b""
        self._finish()
        return last

    @property
    def _has_chunks(self) -> bool:
        return self._is_1_1 and not self._is_foreign

    @property
    def _is_1_1(self) -> bool:
        """Does the client know chunks, by which a body of any length has an end?"""
        return self._variables["SERVER_PROTOCOL"] == "HTTP/1.1"

    def _frame_unknown(self) -> str:
        if self._is_1_1:
            return "Transfer-Encoding: chunked"
        self.keep_alive = False  # the end of the connection ends the body
        return ""

    def _start_informational(self) -> None:
        self.keep_alive = False  # the client goes on waiting for a final answer

    def _end_head(self) -> bytes:
        """What becomes of the connection, and the empty line."""
        if not self.keep_alive:
            return b"\r\nConnection: close\r\n\r\n"
        if not self._is_1_1:
            return b"\r\nConnection: keep-alive\r\n\r\n"
        return b"\r\n\r\n"
