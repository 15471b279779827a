"""The head of a FastCGI request: of PARAMS and a role, variables and a body."""

from prefork.errors import ProtocolError
from prefork.protocols.fastcgi_body import Heed, StreamsBody
from prefork.protocols.fastcgi_records import (
    AUTHORIZER,
    DATA,
    FILTER,
    HEADER,
    ROLES,
    STDIN,
    VERSION,
)
from prefork.protocols.grammar import CONTENT_LENGTH
from prefork.protocols.request import Request
from prefork.protocols.terms import Limits, Terms
from prefork.protocols.variables import complete, read_length


def make_request(
    asked: dict[str, str],
    role: int,
    number: int,
    rest: bytes,
    *,
    keeps: bool,
    terms: Terms,
    remote: dict[str, str],
    heed: Heed,
) -> Request:
    """A request of what the front end has said; ProtocolError.

    `number` is its id, `rest` what has come after PARAMS, and `heed` takes what
    does not belong to its body.
    """
    variables = complete(asked, terms, remote)
    variables["FCGI_ROLE"] = ROLES[role]
    sizes = find_sizes(variables, role, terms.limits)
    # The end of STDIN has nearly always come with the head.
    is_bare = role != FILTER and not sizes.get(STDIN)
    if is_bare and rest[:8] == HEADER.pack(VERSION, STDIN, number, 0, 0):
        return Request(variables, body=None, rest=rest[8:], keep_alive=keeps)
    body = None
    if sizes:
        body = StreamsBody(number, sizes, limit=terms.limits.body, heed=heed)
    return Request(variables, body=body, rest=rest, keep_alive=keeps)


def find_sizes(
    variables: dict[str, str], role: int, limits: Limits
) -> dict[int, int | None]:
    """The streams that follow, and how long each must be; None: as long as it is.

    Of a Filter the second one is the file to be filtered.  It is read where the
    first one ends, as in libfcgi; that is known because CONTENT_LENGTH is there,
    even if it is 0.
    """
    length = read_length(variables, limits)
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
    text = variables.get("FCGI_DATA_LENGTH", "")
    if not CONTENT_LENGTH.fullmatch(text):
        raise ProtocolError(
            "malformed FCGI_DATA_LENGTH" if text else "no length of DATA"
        )
    if limits.body and int(text) > limits.body:
        raise ProtocolError("DATA too long", status=413)
    return int(text)
