"""An answer as CGI words it: `Status:`, fields, an empty line, the body.

RFC 3875 6.  What other protocols do differently they say in a subclass, or around
it: HTTP has another first line and another way to tell where the body ends, FastCGI
packs these bytes into records.
"""

import re

from prefork.errors import ProtocolError
from prefork.protocols.grammar import NOT_PLAIN_AS_NUL, TOKEN
from prefork.protocols.lull import find_lull
from prefork.protocols.memo import Memo
from prefork.protocols.request import Headers, Request

# PEP 3333: a string of the form "999 Message here", without control characters.
# A message of no words is tolerated.
STATUS = re.compile(r"[1-9][0-9]{2}(?: [\t -~\x80-\xff]*)?")

# RFC 9110 7.6.1, and RFC 2616 13.5.1, which PEP 3333 refers to; and `Proxy-…`.
HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
}

PHRASES = {
    400: "Bad Request",
    403: "Forbidden",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


def check_length(known: str, value: str) -> str:
    """A Content-Length, if it is one and the first: `known` is "".  ValueError."""
    if known:
        raise ValueError("two Content-Lengths")
    # The pattern of CONTENT_LENGTH, at a third of its price.
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError("malformed Content-Length")
    return value


def check_status(status: str) -> tuple[str, str]:
    """Code and phrase; ValueError if it cannot be sent."""
    if not STATUS.fullmatch(status):
        raise ValueError("malformed status")
    code, _, phrase = status.partition(" ")
    return code, phrase


def format_status_field(status: str) -> str:
    code, phrase = check_status(status)
    return f"Status: {code} {phrase}".rstrip()


def find_special(name: str) -> str:
    """The lower-case name of a header that framing depends on; "" of another."""
    if not TOKEN.fullmatch(name):
        raise ValueError("malformed header name")
    name = name.lower()
    if name in HOP_BY_HOP or name.startswith("proxy-"):
        return name
    return name if name in ("content-length", "date", "status") else ""


SPECIAL = Memo(find_special)


class CgiAnswer:
    """One answer: start, then chunks, then end; or start alone if complete."""

    __slots__ = (
        "_date",
        "_is_bodyless",
        "_left",
        "_variables",
        "keep_alive",
        "problem",
        "sent",
    )

    first_lines = Memo(format_status_field)  # by status

    def __init__(self, request: Request, *, date: str = "", keep_alive: bool) -> None:
        self._variables = request.variables
        self._date = date  # "": the front end's to say
        self._left: int | None = None  # bytes of the body still to come, if known
        self._is_bodyless = False
        self.keep_alive = keep_alive and request.keep_alive
        self.problem = ""
        self.sent = 0

    @property
    def abortion(self) -> bytes:
        """b"": a front end has no word for that, and leaves."""
        return b""

    @property
    def ends_by_closing(self) -> bool:
        """Once started: does nothing but the end of the connection end the body?"""
        return self._left is None

    @property
    def lull(self) -> float:
        """Seconds without more of the body after which an answer may begin."""
        return find_lull(self._variables)

    def start(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> bytes:
        """The head and the first chunk.  `complete`: no other chunk follows.

        Raises ValueError if the status or a header cannot be sent; it may then be
        called again with others.
        """
        head = self._format_head(status, headers, len(chunk) if complete else None)
        body = self.chunk(chunk) if chunk else b""
        if complete and self._left:
            self._note_shortage()
        return head + self._end_head() + body

    def start_file(
        self, status: str, headers: Headers, size: int
    ) -> tuple[bytes, int] | None:
        """The head of an answer whose body is `size` bytes of a file, and how many
        of them to send as they are: fewer if Content-Length says so, 0 for HEAD.
        """
        head = self._format_head(status, headers, size)
        count = self._take(size if self._left is None else min(size, self._left))
        if self._left:
            self._note_shortage()
        return head + self._end_head(), count

    def pass_on(self, status: str, response: bytes) -> bytes | None:
        """None: it is the front end that puts an answer into HTTP."""
        return None

    def chunk(self, data: bytes) -> bytes:
        """One more chunk; b"" when there is nothing to send."""
        return self._cut(data)

    def end(self) -> bytes:
        """What closes the answer; b"" when nothing does."""
        self._finish()
        return b""

    def abandon(self) -> bytes:
        """b"": who wants it no more can only say so by leaving."""
        return b""

    def complain(self, text: bytes) -> None:
        """There is no way to the front end's error log."""

    def fail(self, text: bytes, *, status: int = 1) -> None:
        """There is no way to say it but the answer itself."""

    def _format_head(self, status: str, headers: Headers, size: int | None) -> bytes:
        """Check status and headers, choose the framing; `size`: the whole body's.

        Hot: half of what an answer costs.
        """
        length, date = "", self._date
        try:
            lines = [self.first_lines[status]]
            for name, value in headers:
                special = SPECIAL[name]
                if not special:
                    lines.append(name + ": " + value)
                elif special == "content-length":
                    length = check_length(length, value)
                elif special == "date":
                    date = value
                else:
                    self._drop(special, value)
            if date:
                lines.append("Date: " + date)
        except (TypeError, AttributeError) as error:
            raise ValueError(f"status and headers must be str: {error}") from error
        framing = self._choose_framing(status[:3], length, size)
        if framing:
            lines.append(framing)
        head = "\r\n".join(lines).encode("latin-1")
        # One look at the whole head: what is not plain must be our line ends.
        if head.translate(NOT_PLAIN_AS_NUL).count(0) != 2 * (len(lines) - 1):
            raise ValueError("control character in a header")
        return head

    def _drop(self, name: str, value: str) -> None:
        # PEP 3333: applications "are forbidden from using HTTP/1.1 "hop-by-hop"
        # features or headers".  That one wants the connection closed is common,
        # and harmless.  A `Status` beside the status would be a second one.
        if name == "connection" and value.strip(" \t").lower() == "close":
            self.keep_alive = False
        else:
            self.problem = f"the application set {name}, which is the server's to set"

    def _choose_framing(self, code: str, length: str, size: int | None) -> str:
        """How the end of the body will be known: a header line, or "" for none."""
        is_head = self._variables["REQUEST_METHOD"] == "HEAD"
        if is_head or code in ("204", "304") or code[0] == "1":
            self._is_bodyless = True
            return self._choose_no_body(code, length, size)
        self._is_bodyless = False
        if length:
            self._left = int(length)
            return "Content-Length: " + length
        self._left = size
        if size is not None:
            return f"Content-Length: {size}"
        return self._frame_unknown()

    def _frame_unknown(self) -> str:
        """The header line for a body whose length is not known; "" for none."""
        return ""

    def _choose_no_body(self, code: str, length: str, size: int | None) -> str:
        self._left = 0
        # RFC 9112 6.1, RFC 9110 8.6: "A server MUST NOT send a Content-Length
        # header field in any response with a status code of 1xx (Informational) or
        # 204 (No Content)."
        if code == "204":
            return ""
        if code[0] == "1":
            self._start_informational()
            return ""
        # RFC 9110 8.6: a server "MUST NOT send Content-Length in such a response
        # unless its field value equals the decimal number of octets that would
        # have been sent in the content of a response if the same request had used
        # the GET method."  An application that returns nothing has not said.
        if not length and size and code != "304":
            length = str(size)
        return "Content-Length: " + length if length else ""

    def _start_informational(self) -> None:
        """A status 1xx announces another answer; every front end breaks on it."""
        raise ValueError("an informational status is no answer")

    def _end_head(self) -> bytes:
        return b"\r\n\r\n"

    def _cut(self, data: bytes) -> bytes:
        """What of `data` may be sent."""
        count = self._take(len(data))
        return data if count == len(data) else data[:count]

    def _take(self, count: int) -> int:
        """How many of `count` more bytes of the body may be sent."""
        if self._left is not None:
            if count > self._left:
                self._note_excess()
                count = self._left
            self._left -= count
        self.sent += count
        return count

    def _note_excess(self) -> None:
        if not self._is_bodyless:
            self.problem = "body longer than its Content-Length; cut"
            self.keep_alive = False

    def _finish(self) -> None:
        if self._left:
            self._note_shortage()
        self._left = 0  # whoever writes on would write into the next answer

    def _note_shortage(self) -> None:
        self.problem = f"body {self._left} bytes shorter than its Content-Length"
        self.keep_alive = False


def format_refusal(first_line: str, error: ProtocolError, *, more: str = "") -> bytes:
    """A whole answer that says nothing but the status of an error.

    `first_line`: what stands before the status; `more`: lines of its head.
    """
    phrase = PHRASES.get(error.status, "Error")
    page = f"{error.status} {phrase}\n"
    return (
        f"{first_line}{error.status} {phrase}\r\n"
        f"{more}"
        "Content-Type: text/plain\r\n"
        f"Content-Length: {len(page)}\r\n"
        "\r\n"
        f"{page}"
    ).encode("latin-1")
