"""The head of an HTTP/1 request: from bytes to meta-variables."""

import re

from prefork.errors import ProtocolError
from prefork.protocols.grammar import (
    ABSOLUTE_FORM,
    CONTENT_LENGTH,
    HOST,
    METHOD,
    TRANSFER_CODING,
    VERSION,
)
from prefork.protocols.http_body import ChunkedBody, LengthBody
from prefork.protocols.http_fields import FieldBlocks, Limits
from prefork.protocols.memo import Memo
from prefork.protocols.request import Body, Request


def parse_head(
    head: bytes,
    rest: bytes,
    variables: dict[str, str],
    *,
    limits: Limits,
    blocks: FieldBlocks,
) -> Request:
    """Turn a head, without the empty line that ends it, into a request.

    `variables` are those that come from elsewhere; the request keeps the dict.
    Raises ProtocolError.
    """
    line, _, block = head.partition(b"\r\n")
    if len(line) > limits.line:
        raise ProtocolError("request line too long", status=414)
    authority = read_request_line(line.decode("latin-1"), variables)
    variables.update(blocks[block])
    is_1_1 = variables["SERVER_PROTOCOL"] == "HTTP/1.1"
    if "HTTP_HOST" in variables:
        HOSTS[variables["HTTP_HOST"]]
    elif is_1_1:
        # RFC 9112 3.2: "A server MUST respond with a 400 (Bad Request) status code
        # to any HTTP/1.1 request message that lacks a Host header field".
        raise ProtocolError("HTTP/1.1 without Host")
    if authority:
        variables["HTTP_HOST"] = authority
    request = Request(variables, body=None, rest=rest, keep_alive=is_1_1)
    if "CONTENT_LENGTH" in variables or "HTTP_TRANSFER_ENCODING" in variables:
        request.body = read_framing(variables, limits)
    if "HTTP_CONNECTION" in variables:
        persistence = PERSISTENCE[variables["HTTP_CONNECTION"]]
        request.keep_alive = persistence == "keep-alive" or (
            is_1_1 and persistence != "close"
        )
    if "HTTP_EXPECT" in variables:
        request.expects_continue = expects_continue(variables)
    return request


# ---- the request line


def read_request_line(line: str, variables: dict[str, str]) -> str:
    """Set the variables that a request line holds; return its authority or ""."""
    try:
        method, target, version = line.split(" ")
    except ValueError:
        raise ProtocolError("malformed request line") from None
    if version != "HTTP/1.1" and version != "HTTP/1.0":
        raise version_error(version)
    if method not in COMMON_METHODS:
        check_method(method)
    # Of what RFC 3986 leaves out, most is sent by real clients (`|`, `{}`), harms
    # nobody, and passes.  "#" begins a fragment, which is never sent.
    if not (target.isascii() and target.isprintable()) or "#" in target or not target:
        raise ProtocolError("malformed request target")
    if target[0] == "/":
        authority = ""
        path, _, query = target.partition("?")
    else:
        authority, path, query = split_other_form(method, target)
    variables["REQUEST_METHOD"] = method
    variables["REQUEST_URI"] = variables["RAW_URI"] = target
    variables["SERVER_PROTOCOL"] = version
    variables["PATH_INFO"] = decode_percent(path) if "%" in path else path
    variables["QUERY_STRING"] = query
    return authority


COMMON_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}


def version_error(version: str) -> ProtocolError:
    if VERSION.fullmatch(version):
        return ProtocolError("HTTP version not supported", status=505)
    return ProtocolError("malformed HTTP version")


def check_method(method: str) -> None:
    if not METHOD.fullmatch(method):
        raise ProtocolError("malformed method")
    if method == "CONNECT":
        raise ProtocolError("CONNECT is for proxies", status=501)


def split_other_form(method: str, target: str) -> tuple[str, str, str]:
    """Authority, path and query of a target that is not in origin-form."""
    if target == "*" and method == "OPTIONS":
        # Not a path, so PATH_INFO is empty: PEP 3333 and RFC 3875 know no other.
        return "", "", ""
    form = ABSOLUTE_FORM.fullmatch(target)
    if not form:
        raise ProtocolError("malformed request target")
    # RFC 9112 3.2.2: "When an origin server receives a request with an
    # absolute-form of request-target, the origin server MUST ignore the received
    # Host header field (if any) and instead use the host information of the
    # request-target."
    return HOSTS[form["authority"]], form["path"] or "/", form["query"] or ""


def decode_percent(path: str) -> str:
    """Decode once, to bytes as latin-1 text (PEP 3333); `%` of no pair stays."""
    return PERCENT_PAIR.sub(lambda pair: chr(int(pair[1], 16)), path)


PERCENT_PAIR = re.compile(r"%([0-9A-Fa-f]{2})")


def check_host(host: str) -> str:
    if not HOST.fullmatch(host):
        raise ProtocolError("malformed Host")
    return host


def find_persistence(connection: str) -> str:
    """What a Connection field wants: "close", "keep-alive" or "" (RFC 9112 9.3)."""
    options = [option.strip(" \t").lower() for option in connection.split(",")]
    if "close" in options:
        return "close"
    return "keep-alive" if "keep-alive" in options else ""


HOSTS = Memo(check_host)
PERSISTENCE = Memo(find_persistence)


def expects_continue(variables: dict[str, str]) -> bool:
    # RFC 9110 10.1.1: "A server that receives a 100-continue expectation in an
    # HTTP/1.0 request MUST ignore that expectation."
    if variables["SERVER_PROTOCOL"] == "HTTP/1.0":
        return False
    if variables["HTTP_EXPECT"].lower() != "100-continue":
        raise ProtocolError("unknown expectation", status=417)
    return True


# ---- where the body ends


def read_framing(variables: dict[str, str], limits: Limits) -> Body | None:
    """The decoder of the body; None if there is nothing to decode."""
    if "HTTP_TRANSFER_ENCODING" not in variables:
        return read_length(variables, limits)
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
    if not CONTENT_LENGTH.fullmatch(variables["CONTENT_LENGTH"]):
        raise ProtocolError("malformed Content-Length")
    length = int(variables["CONTENT_LENGTH"])
    if limits.body and length > limits.body:
        raise ProtocolError("body too long", status=413)
    return LengthBody(length) if length else None
