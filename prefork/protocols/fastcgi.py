"""FastCGI 1.0: requests of a connection, their answers, and its small talk."""

from prefork.errors import ProtocolError, RequestAborted
from prefork.protocols.answer import format_refusal
from prefork.protocols.fastcgi_answer import FastcgiAnswer
from prefork.protocols.fastcgi_body import ABORTED, STREAMS
from prefork.protocols.fastcgi_head import make_request
from prefork.protocols.fastcgi_records import (
    ABORT_REQUEST,
    BEGIN,
    BEGIN_REQUEST,
    CANT_MPX_CONN,
    GET_VALUES,
    GET_VALUES_RESULT,
    HEADER_SIZE,
    KEEP_CONN,
    KINDS,
    OVERLOADED,
    PARAMS,
    REQUEST_COMPLETE,
    ROLES,
    STDOUT,
    UNKNOWN_ROLE,
    UNKNOWN_TYPE,
    VERSION,
    find_client,
    format_end,
    format_last,
    format_pairs,
    format_record,
    format_stream,
    parse_pairs,
    read_header,
)
from prefork.protocols.known import VariablesReader
from prefork.protocols.request import Request
from prefork.protocols.terms import Terms
from prefork.protocols.variables import format_request_line


class Fastcgi:
    """The protocol of a listener; its connections share it."""

    def __init__(self, terms: Terms) -> None:
        self.limits = terms.limits
        self.reader = VariablesReader(parse_pairs, terms)
        self.web_servers = parse_web_servers(terms.web_servers)
        self.values = {
            "FCGI_MAX_CONNS": str(terms.capacity),
            "FCGI_MAX_REQS": str(terms.capacity),
            "FCGI_MPXS_CONNS": "0",
        }

    def converse(self, remote: dict[str, str]) -> "FastcgiConversation":
        """Begin with a connection; `remote`: the variables that it alone has."""
        # FastCGI specification 3.2: "If the check fails (including the possibility
        # that the connection didn't use TCP/IP transport), the application responds
        # by closing the connection."
        if self.web_servers is not None:
            # An IPv6 listener sees its IPv4 peers under this prefix.
            peer = remote.get("REMOTE_ADDR", "").removeprefix("::ffff:") or "unix"
            if peer not in self.web_servers:
                raise ProtocolError(f"{peer} is not in FCGI_WEB_SERVER_ADDRS")
        return FastcgiConversation(self, remote)


def parse_web_servers(text: str | None) -> frozenset[str] | None:
    """The addresses of FCGI_WEB_SERVER_ADDRS; None: it is not set."""
    if not text:
        return None
    return frozenset(address.strip() for address in text.split(",")) - {"", "unix"}


class FastcgiConversation:
    """Reads records until PARAMS has come to its end; the rest is the body's.

    One request at a time: what belongs to another one is declined, and what
    follows a whole one waits for its turn.  The usual request arrives in one piece
    and never enters the buffer.
    """

    __slots__ = (
        "_asked",
        "_buffer",
        "_fastcgi",
        "_has_head",
        "_ignored",
        "_keeps",
        "_number",
        "_params",
        "_params_size",
        "_role",
        "_verdict",
        "_want",
        "has_leftover",
        "is_idle",
        "remote",
        "replies",
    )

    successor = None
    is_front_end = True
    is_over = False

    def __init__(self, fastcgi: Fastcgi, remote: dict[str, str]) -> None:
        self._fastcgi = fastcgi
        self.remote = remote
        self.replies = b""
        self.is_idle = True
        self.has_leftover = False
        self._ignored = 0  # bytes since the last request
        self._buffer = bytearray()  # the beginning of a record
        self._want = 0  # bytes of it until it is worth another look
        self._forget()

    def _forget(self) -> None:
        self._number = 0  # the id of the request; 0: there is none
        self._role = 0
        self._keeps = False
        self._params: list[bytes] = []
        self._params_size = 0
        self._has_head = False
        self._asked: dict[str, str] = {}  # of the front end
        # The protocol status of an END_REQUEST that is all the answer to a refused
        # request; None: a page says why.
        self._verdict: int | None = None

    @property
    def request_line(self) -> str:
        """What was asked of the front end, by a request that was refused."""
        return format_request_line(self._asked)

    def feed(self, data: bytes) -> Request | None:
        """Take received bytes; return a request once its head is complete."""
        if self._has_head:
            self._forget()
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._want:
                return None
            data = bytes(self._buffer)
            self._buffer.clear()
        at, size = 0, len(data)
        while size - at >= HEADER_SIZE:
            version, kind, number, length, padding = read_header(data, at)
            if version != VERSION:
                raise ProtocolError("not FastCGI 1")
            start = at + HEADER_SIZE
            end = start + length
            if end + padding > size:
                break
            at = end + padding
            if kind != PARAMS or number != self._number or not number:
                self.heed(kind, number, data[start:end])
            elif length:
                self._gather(data[start:end])
            else:
                return self._begin(data[at:])
        self._keep(data[at:])
        return None

    def _keep(self, data: bytes) -> None:
        """Keep the beginning of a record until more of it is here; ProtocolError if it
        cannot be one."""
        self.is_idle = not data and not self._number
        self.has_leftover = False
        if not data:
            return
        if data[0] != VERSION:
            raise ProtocolError("not FastCGI 1")
        self._buffer += data
        self._want = HEADER_SIZE
        if len(data) >= HEADER_SIZE:
            _, kind, _, length, padding = read_header(data)
            self._want += length + padding
            self.has_leftover = self.is_idle = not self._number and kind in STREAMS

    def _gather(self, content: bytes) -> None:
        self._params_size += len(content)
        if self._params_size > self._fastcgi.limits.variables_size:
            raise ProtocolError("PARAMS too long", status=431)
        self._params.append(content)

    def _begin(self, rest: bytes) -> Request:
        """PARAMS is whole: a request, whose body may begin in `rest`."""
        params = b"".join(self._params)
        self._params.clear()
        fastcgi = self._fastcgi
        start, end = find_client(params)
        variables, length = fastcgi.reader.read(
            params, start, end, remote=self.remote, asked=self._asked
        )
        self._has_head = True
        self.has_leftover = False
        return make_request(
            variables,
            length,
            self._role,
            self._number,
            rest,
            keeps=self._keeps,
            limits=fastcgi.limits,
            heed=self.heed,
        )

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> FastcgiAnswer:
        """Answer a request; `keep_alive`: what the server allows."""
        return FastcgiAnswer(request, self._number, keep_alive=keep_alive)

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """The whole answer to a request that was refused; then close."""
        said, self.replies = self.replies, b""
        if not self._number:
            return said  # nobody to say it to
        if self._verdict is not None:
            return said + format_end(self._number, protocol=self._verdict)
        page = format_stream(STDOUT, self._number, format_refusal("Status: ", error))
        # No front end retries, or tells its client: so the page says it as well.
        protocol = OVERLOADED if error.status == 503 else REQUEST_COMPLETE
        return said + page + format_last(self._number, application=0, protocol=protocol)

    # Records that are not of the stream that is being read

    def heed(self, kind: int, number: int, content: bytes) -> None:
        """Take a record that may come at any time; ProtocolError if it may not."""
        if not number:
            self._manage(kind, content)
        elif kind == BEGIN_REQUEST:
            self._hear_beginning(number, content)
        elif number != self._number:
            self._ignore(len(content))
        elif kind == ABORT_REQUEST and self._keeps and not self._has_head:
            self.replies += format_end(number, protocol=REQUEST_COMPLETE)
            self._forget()
        elif kind == ABORT_REQUEST:
            self._verdict = REQUEST_COMPLETE
            raise (RequestAborted if self._has_head else ProtocolError)(ABORTED)
        elif kind in KINDS:
            raise ProtocolError(f"{KINDS[kind]} in the wrong place")

    def _ignore(self, size: int) -> None:
        """Drop a record of a request that is not open: it was declined, or answered
        before its body was read.  Apache then goes on with the next request, others
        with the rest of the body.

        FastCGI specification 3.3: "While a request ID R is inactive, the application
        ignores records with requestId == R".  It may be as long as a body.
        """
        self._ignored += size
        limit = self._fastcgi.limits.body
        if limit and self._ignored > limit:
            raise ProtocolError("too much of what is no request", status=413)

    def _manage(self, kind: int, content: bytes) -> None:
        if kind == GET_VALUES:
            known = self._fastcgi.values
            asked = dict.fromkeys(name for name, _ in parse_pairs(content))
            told = [(name, known[name]) for name in asked if name in known]
            self.replies += format_record(GET_VALUES_RESULT, 0, format_pairs(told))
        elif kind < GET_VALUES:
            raise ProtocolError(f"{KINDS.get(kind, kind)} with request id 0")
        else:
            self.replies += format_record(UNKNOWN_TYPE, 0, bytes((kind, *bytes(7))))

    def _hear_beginning(self, number: int, content: bytes) -> None:
        if len(content) != BEGIN.size:
            raise ProtocolError("malformed BEGIN_REQUEST")
        if self._number:
            if number == self._number:
                raise ProtocolError("BEGIN_REQUEST twice")
            self.replies += format_end(number, protocol=CANT_MPX_CONN)
            return
        role, flags = BEGIN.unpack(content)
        keeps = bool(flags & KEEP_CONN)
        if role not in ROLES and keeps:
            self.replies += format_end(number, protocol=UNKNOWN_ROLE)
            return
        self._number, self._role, self._keeps = number, role, keeps
        self._ignored = 0
        if role not in ROLES:
            self._verdict = UNKNOWN_ROLE
            raise ProtocolError("unknown role", status=501)
