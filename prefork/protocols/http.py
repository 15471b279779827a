"""HTTP/1.1 and 1.0 (RFC 9110, 9112): one connection's requests, its answers."""

from prefork.errors import ProtocolError
from prefork.protocols.grammar import NOT_PLAIN
from prefork.protocols.http_answer import HttpAnswer, format_error
from prefork.protocols.http_head import RequestHeads
from prefork.protocols.http_line import parse_line
from prefork.protocols.request import Request
from prefork.protocols.terms import Terms


class Http:
    """The protocol of a listener; its connections share it."""

    def __init__(self, terms: Terms) -> None:
        self.limits = terms.limits
        self.heads = RequestHeads(terms.limits, terms.script_name, terms.defaults)

    def converse(self, remote: dict[str, str]) -> "HttpConversation":
        """Begin with a connection; `remote`: the variables that it alone has."""
        return HttpConversation(self, remote)


class HttpConversation:
    """Gathers heads; what comes between them belongs to the bodies.

    Most heads arrive in one piece and never enter the buffer.  It is gone through
    once, however small the pieces are, and what cannot become a good head is
    refused at once: a peer that speaks something else would wait for ever.
    """

    __slots__ = (
        "_buffer",
        "_http",
        "_line_start",
        "_lines",
        "has_leftover",
        "is_idle",
        "remote",
    )

    replies = b""  # HTTP never speaks unasked
    successor = None
    is_over = False
    is_front_end = False  # it may be; HTTP does not tell

    def __init__(self, http: Http, remote: dict[str, str]) -> None:
        self._http = http
        self.remote = remote
        self._buffer = bytearray()  # a head, so far; or the one that was refused
        self._lines = 0  # complete ones in the buffer
        self._line_start = 0  # where in the buffer its last line begins
        self.is_idle = True
        self.has_leftover = False

    @property
    def request_line(self) -> str:
        """The request line of a head that is not complete, or was refused.

        As it came, in latin-1, and so to be escaped wherever it is shown.
        """
        line = self._buffer.lstrip(b"\r\n").partition(b"\n")[0]
        return line[: self._http.limits.line].decode("latin-1").removesuffix("\r")

    def feed(self, data: bytes) -> Request | None:
        """Take received bytes; return a request once its head is complete."""
        end = data.find(b"\r\n\r\n")
        if self._buffer or end <= 0 or data[0] == 13:  # CR
            return self._gather(data)
        try:
            return self._parse(data[:end], data[end + 4 :])
        except ProtocolError:
            self._buffer += data[:end]
            raise

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> HttpAnswer:
        """Answer a request; `keep_alive`: what the server allows."""
        return HttpAnswer(request, date=date, keep_alive=keep_alive)

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """The whole answer to a request that was refused; then close."""
        return format_error(error, date=date)

    def _parse(self, head: bytes, rest: bytes) -> Request:
        return self._http.heads.parse(head, rest, self.remote)

    def _gather(self, data: bytes) -> Request | None:
        buffer = self._buffer
        known = len(buffer)
        buffer += data
        # RFC 9112 2.2: "In the interest of robustness, a server that is expecting
        # to receive and parse a request-line SHOULD ignore at least one empty line
        # (CRLF) received prior to the request-line."  One it is.
        start = 2 if buffer.startswith(b"\r\n") else 0
        end = buffer.find(b"\r\n\r\n", max(start, known - 3))
        if end < 0:
            self.is_idle = len(buffer) <= 2 and buffer in b"\r\n"
            self.has_leftover = buffer == b"\r"
            self._check_so_far(start, known)
            return None
        request = self._parse(bytes(buffer[start:end]), bytes(buffer[end + 4 :]))
        self._forget()
        return request

    def _forget(self) -> None:
        self._buffer.clear()
        self._lines = 0
        self._line_start = 0
        self.is_idle = True
        self.has_leftover = False

    def _check_so_far(self, start: int, known: int) -> None:
        """Refuse a head that is not complete but already wrong."""
        buffer = self._buffer
        last = buffer.rfind(b"\n", max(start, known))
        if last >= 0:
            if self._lines == 0:
                self._check_first_line(start)
            self._lines += buffer.count(b"\n", max(start, known))
            self._line_start = last + 1
        self._check_lengths(start)
        if NOT_PLAIN.search(buffer, max(known - 1, 0)):
            raise ProtocolError("bare CR, bare LF or control character in the head")

    def _check_first_line(self, start: int) -> None:
        line = self._buffer[start : self._buffer.index(b"\n", start)]
        if len(line) - 1 > self._http.limits.line:
            raise ProtocolError("request line too long", status=414)
        if not line.endswith(b"\r"):
            raise ProtocolError("bare LF in the request line")
        parse_line(line[:-1].decode("latin-1"))

    def _check_lengths(self, start: int) -> None:
        size = len(self._buffer) - max(self._line_start, start)
        if self._lines == 0:
            # One more than allowed may be the CR of the end.
            if size > self._http.limits.line + 1:
                raise ProtocolError("request line too long", status=414)
            return
        if size > self._http.limits.field_size + 1:
            raise ProtocolError("field too long", status=431)
        if self._lines > self._http.limits.fields + 1:
            raise ProtocolError("too many fields", status=431)
        if len(self._buffer) > self._http.limits.head:
            raise ProtocolError("head too long", status=431)
