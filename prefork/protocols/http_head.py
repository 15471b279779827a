"""The head of an HTTP/1 request: its line, its fields, and what follows it."""

from collections.abc import Mapping

from prefork.errors import ProtocolError
from prefork.protocols.grammar import CONTENT_LENGTH, TRANSFER_CODING
from prefork.protocols.http_body import ChunkedBody, LengthBody
from prefork.protocols.http_fields import FieldBlocks
from prefork.protocols.http_line import RequestLines
from prefork.protocols.request import Body, Request
from prefork.protocols.terms import Limits

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class RequestHeads:
    """Parses heads; remembers the parts of them that it has seen."""

    def __init__(
        self,
        limits: Limits,
        script_name: str = "",
        defaults: Mapping[str, str] | None = None,
    ) -> None:
        """`defaults`: the variables of all requests."""
        self._limits = limits
        self._defaults = dict(defaults or {})
        self._lines = RequestLines(limits, script_name)
        self._blocks = FieldBlocks(limits)

    def parse(self, head: bytes, rest: bytes, remote: dict[str, str]) -> Request:
        """Turn a head, without the empty line that ends it, into a request.

        `remote` are the variables of the connection.  Raises ProtocolError.
        """
        line, _, block = head.partition(b"\r\n")
        asked = self._lines[line]
        fields = self._blocks[block]
        # The line last: RFC 9112 3.2.2 has its authority replace the Host field.
        variables = {**self._defaults, **remote, **fields.variables, **asked}
        if asked["SERVER_PROTOCOL"] == "HTTP/1.1":
            # RFC 9112 3.2: "A server MUST respond with a 400 (Bad Request) status
            # code to any HTTP/1.1 request message that lacks a Host header field".
            if not fields.has_host:
                raise ProtocolError("HTTP/1.1 without Host")
            keep_alive = fields.keeps_1_1
        else:
            keep_alive = fields.keeps_1_0
        request = Request(variables, body=None, rest=rest, keep_alive=keep_alive)
        if not fields.is_plain:
            request.body = read_framing(variables, self._limits)
            request.invitation = find_invitation(variables)
        return request


def find_invitation(variables: dict[str, str]) -> bytes:
    """What the client waits for before it sends its body."""
    if "HTTP_EXPECT" not in variables:
        return b""
    # RFC 9110 10.1.1: "A server that receives a 100-continue expectation in an
    # HTTP/1.0 request MUST ignore that expectation."
    if variables["SERVER_PROTOCOL"] == "HTTP/1.0":
        return b""
    if variables["HTTP_EXPECT"].lower() != "100-continue":
        raise ProtocolError("unknown expectation", status=417)
    return CONTINUE


# Where the body ends


def read_framing(variables: dict[str, str], limits: Limits) -> Body | None:
    """The decoder of the body; None if there is nothing to decode."""
    if "HTTP_TRANSFER_ENCODING" not in variables:
        has_length = "CONTENT_LENGTH" in variables
        return read_length(variables, limits) if has_length else None
    # RFC 9112 6.1: "Regardless, the server MUST close the connection after
    # responding to such a request"; here it is refused, so nobody need ask which
    # of the two a front end has obeyed.
    if "CONTENT_LENGTH" in variables:
        raise ProtocolError("both Content-Length and Transfer-Encoding")
    # RFC 9112 6.1: "A server or client that receives an HTTP/1.0 message
    # containing a Transfer-Encoding header field MUST treat the message as if the
    # framing is faulty".
    if variables["SERVER_PROTOCOL"] == "HTTP/1.0":
        raise ProtocolError("Transfer-Encoding in HTTP/1.0")
    # Removed, because an application that sees it would decode again.
    check_transfer_codings(variables.pop("HTTP_TRANSFER_ENCODING"))
    return ChunkedBody(limit=limits.body)


def check_transfer_codings(value: str) -> None:
    """Refuse all but `chunked` alone: 501 for what one could support."""
    *others, last = (coding.strip(" \t") for coding in value.split(","))
    for coding in others:
        match = TRANSFER_CODING.fullmatch(coding)
        if not match or match["name"].lower() == "chunked":
            raise ProtocolError("malformed Transfer-Encoding")
    # RFC 9112 6.3: "If a Transfer-Encoding header field is present in a request
    # and the chunked transfer coding is not the final encoding, the message body
    # length cannot be determined reliably; the server MUST respond with the 400
    # (Bad Request) status code and then close the connection."
    if last.lower() != "chunked":
        raise ProtocolError("Transfer-Encoding does not end in chunked")
    if others:
        raise ProtocolError("transfer coding not implemented", status=501)


def read_length(variables: dict[str, str], limits: Limits) -> Body | None:
    """The decoder of a body with Content-Length; None if that is 0.

    Raises ProtocolError: 400 for what is no number, 413 beyond the limit.
    """
    if not CONTENT_LENGTH.fullmatch(variables["CONTENT_LENGTH"]):
        raise ProtocolError("malformed Content-Length")
    length = int(variables["CONTENT_LENGTH"])
    if limits.body and length > limits.body:
        raise ProtocolError("body too long", status=413)
    return LengthBody(length) if length else None
