"""The head of an HTTP/1 request: from bytes to meta-variables."""

import re
from dataclasses import dataclass

from prefork.errors import ProtocolError
from prefork.protocols.grammar import (
    ABSOLUTE_FORM,
    CONTENT_LENGTH,
    HOST,
    METHOD,
    NOT_PLAIN_AS_NUL,
    TOKEN,
    TRANSFER_CODING,
    VERSION,
)
from prefork.protocols.http_body import ChunkedBody, LengthBody
from prefork.protocols.memo import Memo
from prefork.protocols.request import Body, Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a request is taken before it is refused."""

    line: int = 8190  # bytes of the request line
    fields: int = 100
    field_size: int = 8190  # bytes of one field line
    body: int = 1 << 30  # bytes; 0: no limit

    @property
    def head(self) -> int:
        """Bytes of the whole head: far less than all fields at their longest."""
        return max(128 << 10, self.line + 4 * self.field_size)


def parse_head(
    head: bytes, rest: bytes, variables: dict[str, str], limits: Limits
) -> Request:
    """Turn a head, without the empty line that ends it, into a request.

    `variables` are those that come from elsewhere; the request keeps the dict.
    Raises ProtocolError.  The hot function, and so one straight one: the 12 fields
    of a browser cost twice what they would without a single check.
    """
    lines = head.decode("latin-1").split("\r\n")
    if len(head) > limits.line or len(head) > limits.field_size:
        check_lengths(lines, limits)
    if len(lines) > limits.fields + 1:
        raise ProtocolError("too many fields", status=431)
    if head.translate(NOT_PLAIN_AS_NUL).count(0) != 2 * (len(lines) - 1):
        raise ProtocolError("bare CR, bare LF or control character in the head")

    authority = read_request_line(lines[0], variables)
    del lines[0]
    for line in lines:
        name, colon, value = line.partition(":")
        key = KEYS[name]
        if not colon:
            raise ProtocolError("field without a colon")
        if key in variables:
            value = join_repeated(key, variables[key], value)
        if key:
            variables[key] = value.strip(" \t")

    is_1_1 = variables["SERVER_PROTOCOL"] == "HTTP/1.1"
    if "HTTP_HOST" in variables:
        HOSTS[variables["HTTP_HOST"]]  # which raises for a malformed one
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


def check_lengths(lines: list[str], limits: Limits) -> None:
    if len(lines[0]) > limits.line:
        raise ProtocolError("request line too long", status=414)
    if sum(map(len, lines)) > limits.head:
        raise ProtocolError("head too long", status=431)
    if max(map(len, lines[1:]), default=0) > limits.field_size:
        raise ProtocolError("field too long", status=431)


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


# ---- the fields


def find_key(name: str) -> str:
    """The meta-variable that a field becomes; "" for a field to be dropped."""
    if not TOKEN.fullmatch(name):
        raise ProtocolError(malformed_name(name))
    # HTTP_X_Y would stand for X-Y and X_Y; which of them a front end has checked,
    # nobody could tell.  HTTP_PROXY is a setting of many HTTP clients ("httpoxy").
    if "_" in name or name.lower() == "proxy":
        return ""
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else "HTTP_" + key


def malformed_name(name: str) -> str:
    if name.startswith((" ", "\t")):
        return "folded field"  # RFC 9112 5.2
    if name.endswith((" ", "\t")):
        return "space before the colon"  # RFC 9112 5.1
    return "malformed field name"


def join_repeated(key: str, value: str, another: str) -> str:
    """One value of two fields of a name (RFC 9110 5.3, RFC 6265 5.4)."""
    if key in SINGLE:
        raise ProtocolError("repeated field that must be single")
    separator = "; " if key == "HTTP_COOKIE" else ","
    return value + separator + another.strip(" \t")


SINGLE = {
    "CONTENT_LENGTH",
    "CONTENT_TYPE",
    "HTTP_AUTHORIZATION",
    "HTTP_EXPECT",
    "HTTP_HOST",
    "HTTP_PROXY_AUTHORIZATION",
    "HTTP_TRANSFER_ENCODING",
}


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


KEYS = Memo(find_key)
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
