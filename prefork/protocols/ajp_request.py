"""A FORWARD_REQUEST of AJP13: from its payload to variables."""

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as ajp
from prefork.protocols.ajp_packets import read_string
from prefork.protocols.http_fields import KEYS, find_key, join_repeated
from prefork.protocols.path import encode_path
from prefork.protocols.terms import Limits

HEADER_KEYS = {code: find_key(name) for code, name in ajp.REQUEST_HEADERS.items()}

ATTRIBUTE_KEYS = {
    0x01: "AJP_CONTEXT",
    0x02: "AJP_SERVLET_PATH",
    0x03: "REMOTE_USER",
    0x04: "AUTH_TYPE",
    0x05: "QUERY_STRING",
    0x06: "AJP_JVM_ROUTE",
    0x07: "SSL_CLIENT_CERT",
    0x08: "SSL_CIPHER",
    0x09: "SSL_SESSION_ID",
    ajp.SSL_KEY_SIZE: "SSL_CIPHER_USEKEYSIZE",
    ajp.SECRET: "secret",
    ajp.METHOD: "stored_method",
}

# What front ends say by a request attribute, because AJP has no place for it.
KNOWN = {
    "AJP_REMOTE_PORT": "REMOTE_PORT",
    "AJP_LOCAL_ADDR": "SERVER_ADDR",
    "AJP_SSL_PROTOCOL": "SSL_PROTOCOL",
}
PREFIX = "AJP_"  # of all others, which could else be any variable (CVE-2020-1938)


def parse_request(payload: bytes, limits: Limits) -> tuple[dict[str, str], str]:
    """The variables that a packet carries, to be completed; and the secret."""
    text = payload.decode("latin-1")
    try:
        variables, at = read_line(payload, text)
        at = read_headers(payload, text, at, variables)
        attributes = read_attributes(payload, text, at)
    except IndexError:
        raise ProtocolError("FORWARD_REQUEST ends too early") from None
    secret = attributes.pop("secret", "")
    method = attributes.pop("stored_method", "")
    if payload[1] == ajp.STORED_METHOD:
        variables["REQUEST_METHOD"] = method
    variables |= attributes
    if len(variables) > limits.variables:
        raise ProtocolError("too many variables", status=431)
    if "\0" in "".join(variables.values()):
        raise ProtocolError("NUL in a variable")
    place_target(variables)
    return variables, secret


def read_line(payload: bytes, text: str) -> tuple[dict[str, str], int]:
    """What stands before the headers, and where these begin."""
    names = ("SERVER_PROTOCOL", "REQUEST_URI", "REMOTE_ADDR", "REMOTE_HOST")
    variables = {"REQUEST_METHOD": ajp.METHODS.get(payload[1], "")}
    at = 2
    for name in (*names, "SERVER_NAME"):
        value, at = read_string(payload, text, at)
        if value is not None:
            variables[name] = value
    variables["SERVER_PORT"] = str(payload[at] << 8 | payload[at + 1])
    if payload[at + 2]:
        variables["HTTPS"] = "on"
    return variables, at + 3


def read_headers(payload: bytes, text: str, at: int, variables: dict[str, str]) -> int:
    """Add the headers; return where the attributes begin.

    Hot: half of what a request costs.  So read_string() is written out for values.
    lighttpd sends those that it has removed as null.
    """
    count = payload[at] << 8 | payload[at + 1]
    at += 2
    for _ in range(count):
        if payload[at] == ajp.CODED_HEADER:
            key = HEADER_KEYS.get(payload[at + 1], "")
            if not key:
                raise ProtocolError("unknown code of a header")
            at += 2
        else:
            name, at = read_string(payload, text, at)
            key = KEYS[name or ""]
        size = payload[at] << 8 | payload[at + 1]
        at += 2
        if size == ajp.NULL:
            continue
        end = at + size
        if payload[end]:
            raise ProtocolError("string without its NUL")
        value = text[at:end].strip(" \t")
        at = end + 1
        if key in variables:
            value = join_repeated(key, variables[key], value)
        if key:
            variables[key] = value
    return at


def read_attributes(payload: bytes, text: str, at: int) -> dict[str, str]:
    """The attributes as variables; and `secret`, `stored_method`."""
    attributes: dict[str, str] = {}
    while (code := payload[at]) != ajp.NO_MORE:
        at += 1
        value: str | None
        if code == ajp.SSL_KEY_SIZE:
            value = str(payload[at] << 8 | payload[at + 1])
            at += 2
        elif code == ajp.REQUEST_ATTRIBUTE:
            name, at = read_string(payload, text, at)
            value, at = read_string(payload, text, at)
            attributes[name_attribute(name or "")] = value or ""
            continue
        else:
            value, at = read_string(payload, text, at)
        if code not in ATTRIBUTE_KEYS:
            raise ProtocolError("unknown code of an attribute")
        if value is not None:
            attributes[ATTRIBUTE_KEYS[code]] = value
    return attributes


def name_attribute(name: str) -> str:
    """The variable of a request attribute.

    Apache says FOO of what is AJP_FOO in its own environment.
    """
    if "=" in name or "\0" in name:
        raise ProtocolError("malformed name of a variable")
    return KNOWN.get(name) or (name if name.startswith(PREFIX) else PREFIX + name)


def place_target(variables: dict[str, str]) -> None:
    """REQUEST_URI as clients wrote it; PATH_INFO where the rest cannot tell it."""
    path = variables.get("REQUEST_URI", "")
    query = variables.get("QUERY_STRING")
    if path == "*" and variables["REQUEST_METHOD"] == "OPTIONS":
        variables["PATH_INFO"] = ""  # as of HTTP's
    elif not path.startswith("/"):
        raise ProtocolError("malformed request target")
    elif is_of_lighttpd(variables):
        variables["PATH_INFO"] = path
        path = encode_path(path)
    elif not (path.isascii() and path.isprintable()) or " " in path:
        raise ProtocolError("malformed request target")
    variables["REQUEST_URI"] = path if query is None else f"{path}?{query}"


def is_of_lighttpd(variables: dict[str, str]) -> bool:
    """Did lighttpd send this, which decodes the path and frames bodies its own way?

    It always says how long the body is, even if there is none, and never from which
    port the client comes, as Apache and mod_jk do.  (To decode again what it has
    decoded would undo what it denies by the path.)
    """
    return "REMOTE_PORT" not in variables and "CONTENT_LENGTH" in variables
