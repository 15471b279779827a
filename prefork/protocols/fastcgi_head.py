"""The head of a FastCGI request: of PARAMS and a role, variables and a body."""

from prefork.errors import ProtocolError
from prefork.protocols.fastcgi_body import Heed, StreamsBody
from prefork.protocols.fastcgi_records import (
    AUTHORIZER,
    DATA,
    FILTER,
    HEADER,
    RESPONDER,
    ROLES,
    STDIN,
    VERSION,
)
from prefork.protocols.grammar import CONTENT_LENGTH
from prefork.protocols.request import Request
from prefork.protocols.terms import Limits


def make_request(
    variables: dict[str, str],
    length: int | None,
    role: int,
    number: int,
    rest: bytes,
    *,
    keeps: bool,
    limits: Limits,
    heed: Heed,
) -> Request:
    """A request of what the front end has said; ProtocolError.

    `length` is CONTENT_LENGTH, `number` the request's id, `rest` what has come after
    PARAMS; `heed` takes what does not belong to its body.
    """
    variables["FCGI_ROLE"] = ROLES[role]
    # The end of STDIN has nearly always come with the head.
    end = HEADER.pack(VERSION, STDIN, number, 0, 0)
    if role == RESPONDER and not length and rest.startswith(end):
        return Request(variables, body=None, rest=rest[8:], keep_alive=keeps)
    # HAProxy forgets the end of STDIN after a chunked upload of nothing.  If it comes
    # it is for nobody, but whoever sends it must not find the connection closed.
    if role == RESPONDER and length == 0 and not rest:
        return Request(
            variables, body=None, rest=rest, keep_alive=keeps, may_go_on=True
        )
    sizes = find_sizes(variables, length, role, limits)
    if not sizes:
        may_go_on = not rest.startswith(end)
        rest = rest.removeprefix(end)
        return Request(
            variables, body=None, rest=rest, keep_alive=keeps, may_go_on=may_go_on
        )
    body = StreamsBody(number, sizes, limit=limits.body, heed=heed)
    return Request(variables, body=body, rest=rest, keep_alive=keeps)


def find_sizes(
    variables: dict[str, str], length: int | None, role: int, limits: Limits
) -> dict[int, int | None]:
    """The streams that follow, and how long each must be; None: as long as it is.

    Of a Filter the second one is the file to be filtered.  It is read where the
    first one ends, as in libfcgi; that is known because CONTENT_LENGTH is there,
    even if it is 0.
    """
    if role == AUTHORIZER:
        # FastCGI specification 6.3: an Authorizer is told of the request, and gets
        # no body; not every web server sends even the end of one.
        variables.pop("CONTENT_LENGTH", None)
        return {}
    if role == FILTER:
        variables["CONTENT_LENGTH"] = str(length or 0)
        return {STDIN: length or 0, DATA: read_data_length(variables, limits)}
    return {STDIN: length}


def read_data_length(variables: dict[str, str], limits: Limits) -> int:
    """FCGI_DATA_LENGTH in bytes (FastCGI specification 6.4); ProtocolError."""
    text = variables.get("FCGI_DATA_LENGTH", "")
    if not CONTENT_LENGTH.fullmatch(text):
        raise ProtocolError(
            "malformed FCGI_DATA_LENGTH" if text else "no length of DATA"
        )
    if limits.body and int(text) > limits.body:
        raise ProtocolError("DATA too long", status=413)
    return int(text)
