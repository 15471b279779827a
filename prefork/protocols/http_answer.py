"""An answer in HTTP/1: status, fields and chunks to bytes, well framed."""

import re

from prefork.protocols.grammar import NOT_PLAIN_AS_NUL, TOKEN
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
    408: "Request Timeout",
    413: "Content Too Large",
    414: "URI Too Long",
    417: "Expectation Failed",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    501: "Not Implemented",
    503: "Service Unavailable",
    505: "HTTP Version Not Supported",
}


def format_error(status: int, *, date: str) -> bytes:
    """A whole answer that says nothing but the status, and closes."""
    phrase = PHRASES.get(status, "Error")
    page = f"{status} {phrase}\n"
    return (
        f"HTTP/1.1 {status} {phrase}\r\n"
        f"Date: {date}\r\n"
        "Content-Type: text/plain\r\n"
        f"Content-Length: {len(page)}\r\n"
        "Connection: close\r\n"
        "\r\n"
        f"{page}"
    ).encode("latin-1")


class HttpAnswer:
    """One answer: start, then chunks, then end; or start alone if complete."""

    __slots__ = (
        "_chunked",
        "_date",
        "_is_1_1",
        "_is_bodyless",
        "_is_head",
        "_left",
        "keep_alive",
        "problem",
        "sent",
    )

    def __init__(self, request: Request, *, date: str, keep_alive: bool) -> None:
        variables = request.variables
        self._is_head = variables["REQUEST_METHOD"] == "HEAD"
        self._is_1_1 = variables["SERVER_PROTOCOL"] == "HTTP/1.1"
        self._date = date
        self._left: int | None = None  # bytes of the body still to come, if known
        self._chunked = False
        self._is_bodyless = False
        self.keep_alive = keep_alive and request.keep_alive
        self.problem = ""
        self.sent = 0

    def start(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> bytes:
        """The head and the first chunk.  `complete`: no other chunk follows.

        Raises ValueError if the status or a header cannot be sent; it may then be
        called again with others.
        """
        head = self._format_head(status, headers, len(chunk) if complete else None)
        body = self.chunk(chunk) if chunk else b""
        if complete:
            self._check_shortage()
        return head + self._format_connection() + body

    def start_file(self, status: str, headers: Headers, size: int) -> tuple[bytes, int]:
        """The head of an answer whose body is `size` bytes of a file, and how many
        of them to send as they are: fewer if Content-Length says so, 0 for HEAD.
        """
        head = self._format_head(status, headers, size)
        count = self._take(size if self._left is None else min(size, self._left))
        self._check_shortage()
        return head + self._format_connection(), count

    def chunk(self, data: bytes) -> bytes:
        """One more chunk, framed; b"" when there is nothing to send."""
        count = self._take(len(data))
        if not count:
            return b""  # a chunk of no bytes would be the last one
        if self._chunked:
            return b"%x\r\n%b\r\n" % (count, data)
        return data if count == len(data) else data[:count]

    def end(self) -> bytes:
        """What closes the answer; b"" when nothing does."""
        last = b"0\r\n\r\n" if self._chunked else b""
        self._chunked = False
        self._check_shortage()
        self._left = 0  # whoever writes on would write into the next answer
        return last

    def _format_head(self, status: str, headers: Headers, size: int | None) -> bytes:
        """Check status and headers, choose the framing; `size`: the whole body's.

        Hot: half of what an answer costs.
        """
        length, date = "", self._date
        try:
            lines = [STATUS_LINES[status]]
            for name, value in headers:
                special = SPECIAL[name]
                if not special:
                    lines.append(name + ": " + value)
                elif special == "content-length":
                    length = check_length(length, value)
                elif special == "date":
                    date = value
                else:
                    self._drop_hop_by_hop(special, value)
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

    def _drop_hop_by_hop(self, name: str, value: str) -> None:
        # PEP 3333: applications "are forbidden from using HTTP/1.1 "hop-by-hop"
        # features or headers".  That one wants the connection closed is common,
        # and harmless.
        if name == "connection" and value.strip(" \t").lower() == "close":
            self.keep_alive = False
        else:
            self.problem = f"the application set {name}, which is the server's to set"

    def _choose_framing(self, code: str, length: str, size: int | None) -> str:
        """How the end of the body will be known: a header line, or "" for none."""
        self._chunked = False
        self._is_bodyless = self._is_head or code in ("204", "304") or code[0] == "1"
        if self._is_bodyless:
            return self._choose_no_body(code, length, size)
        if not length and size is not None:
            length = str(size)
        if length:
            self._left = int(length)
            return "Content-Length: " + length
        self._left = None
        if self._is_1_1:
            self._chunked = True
            return "Transfer-Encoding: chunked"
        self.keep_alive = False  # the end of the connection ends the body
        return ""

    def _choose_no_body(self, code: str, length: str, size: int | None) -> str:
        self._left = 0
        # RFC 9112 6.1, RFC 9110 8.6: "A server MUST NOT send a Content-Length
        # header field in any response with a status code of 1xx (Informational) or
        # 204 (No Content)."
        if code == "204":
            return ""
        if code[0] == "1":
            self.keep_alive = False  # the client goes on waiting for a final answer
            return ""
        # RFC 9110 8.6: a server "MUST NOT send Content-Length in such a response
        # unless its field value equals the decimal number of octets that would
        # have been sent in the content of a response if the same request had used
        # the GET method."  An application that returns nothing has not said.
        if not length and size and code != "304":
            length = str(size)
        return "Content-Length: " + length if length else ""

    def _format_connection(self) -> bytes:
        """What ends the head: what becomes of the connection, and the empty line."""
        if not self.keep_alive:
            return b"\r\nConnection: close\r\n\r\n"
        if not self._is_1_1:
            return b"\r\nConnection: keep-alive\r\n\r\n"
        return b"\r\n\r\n"

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

    def _check_shortage(self) -> None:
        if self._left:
            self.problem = f"body {self._left} bytes shorter than its Content-Length"
            self.keep_alive = False


def check_length(known: str, value: str) -> str:
    if known:
        raise ValueError("two Content-Lengths")
    # The pattern of CONTENT_LENGTH, at a third of its price.
    if not (value.isascii() and value.isdigit() and len(value) <= 18):
        raise ValueError("malformed Content-Length")
    return value


def format_status_line(status: str) -> str:
    if not STATUS.fullmatch(status):
        raise ValueError("malformed status")
    code, _, phrase = status.partition(" ")
    return f"HTTP/1.1 {code} {phrase}"


def find_special(name: str) -> str:
    """The lower-case name of a header that framing depends on; "" of another."""
    if not TOKEN.fullmatch(name):
        raise ValueError("malformed header name")
    name = name.lower()
    if name in HOP_BY_HOP or name.startswith("proxy-"):
        return name
    return name if name in ("content-length", "date") else ""


STATUS_LINES = Memo(format_status_line)
SPECIAL = Memo(find_special)
