"""AJP13: what Apache and lighttpd speak to servlet containers.

Connections are kept, and carry one request after the other.  Whoever connects is
believed: who the client is, whether it has logged in, that it came by TLS.
"""

from hmac import compare_digest

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as ajp
from prefork.protocols.ajp_answer import AjpAnswer, format_error
from prefork.protocols.ajp_body import AjpBody
from prefork.protocols.ajp_request import ForwardRequests, is_of_lighttpd
from prefork.protocols.request import Request
from prefork.protocols.terms import Terms
from prefork.protocols.variables import complete, format_request_line, read_length

CPONG = ajp.format_packet(ajp.TO_FRONT_END, bytes([ajp.CPONG]))
# A front end that sends SHUTDOWN or PING wants what is not its to want: the server
# to stop, and to be in charge of it.
IGNORED = {ajp.SHUTDOWN, ajp.PING}


class Ajp:
    """The protocol of a listener; its connections share it."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.secret = terms.secret.encode()
        self.requests = ForwardRequests(terms.limits)

    def converse(self, remote: dict[str, str]) -> "AjpConversation":
        """Begin with a connection; `remote`: the variables that it alone has."""
        return AjpConversation(self, remote)


class AjpConversation:
    """Gathers packets; those that follow a request belong to its body."""

    __slots__ = ("_ajp", "_asked", "_buffer", "_size", "remote", "replies")

    successor = None
    has_leftover = False
    is_over = False
    is_front_end = True

    def __init__(self, language: Ajp, remote: dict[str, str]) -> None:
        self._ajp = language
        self._buffer = bytearray()  # a packet, so far
        self._size = 0  # of that whole packet, as soon as it is known
        self.remote = remote
        self.replies = b""
        self._asked: dict[str, str] = {}  # of the front end

    @property
    def request_line(self) -> str:
        """What was asked of the front end, by a request that was refused."""
        return format_request_line(self._asked)

    @property
    def is_idle(self) -> bool:
        return not self._buffer

    def feed(self, data: bytes) -> Request | None:
        """Take received bytes; return a request once its packet is complete."""
        if self._buffer:
            self._buffer += data
            if len(self._buffer) < self._size:
                return None
            data = bytes(self._buffer)
            self._buffer.clear()
        at = 0
        while True:
            size = ajp.measure(data[at : at + ajp.HEADER_SIZE], ajp.TO_CONTAINER)
            end = at + size
            if not size or end > len(data):
                self._buffer += data[at:]
                self._size = size
                return None
            payload = data[at + ajp.HEADER_SIZE : end]
            if payload and payload[0] == ajp.FORWARD_REQUEST:
                return self._begin(payload, data[end:])
            self._obey(payload)
            at = end

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> AjpAnswer:
        """Answer a request; `keep_alive`: what the server allows."""
        return AjpAnswer(request, keep_alive=keep_alive)

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """The whole answer to a request that was refused; then close."""
        return format_error(error)

    def _obey(self, payload: bytes) -> None:
        """A packet that is no request; lighttpd sends an empty one after requests
        without a body."""
        if not payload or payload[0] in IGNORED:
            return
        if payload[0] != ajp.CPING:
            raise ProtocolError("unknown type of a packet")
        self.replies += CPONG

    def _begin(self, payload: bytes, rest: bytes) -> Request:
        terms = self._ajp.terms
        variables, secret = self._ajp.requests.parse(payload)
        self._asked = variables
        self._check(secret)
        body = self._read_body(variables)
        variables = complete(variables, terms, self.remote)
        return Request(variables, body=body, rest=rest, keep_alive=True)

    def _check(self, secret: str) -> None:
        expected = self._ajp.secret
        if expected and not compare_digest(secret.encode("latin-1"), expected):
            raise ProtocolError("wrong secret" if secret else "no secret", status=403)

    def _read_body(self, variables: dict[str, str]) -> AjpBody | None:
        limits = self._ajp.terms.limits
        is_bare = is_of_lighttpd(variables)
        length = read_length(variables, limits)
        coding = variables.get("HTTP_TRANSFER_ENCODING")
        if coding is None:
            if not length:
                return None
            return AjpBody(self, length=length, may_be_bare=is_bare)
        # What is more than "chunked" has been the way to have a front end and a
        # container disagree of where a request ends (CVE-2022-26377).
        if length is not None or coding.lower() != "chunked":
            raise ProtocolError("Transfer-Encoding that cannot be")
        return AjpBody(self, limit=limits.body)
