"""The variables of a front end, made what RFC 3875 and PEP 3333 promise.

FastCGI, SCGI, uwsgi, AJP and CGI carry the same variables, and each web server has
ways of its own to fill them in.  A protocol takes the pairs off the wire, `gather`
makes a dict of them, `complete` finishes it.
"""

import re

from prefork.errors import ProtocolError
from prefork.protocols.grammar import CONTENT_LENGTH, METHOD
from prefork.protocols.target import complete_target
from prefork.protocols.terms import Limits, Terms

Pairs = list[tuple[str, str]]

# Said twice, or said to somebody else: CONTENT_LENGTH and CONTENT_TYPE have it.
# HTTP_PROXY is a setting of many HTTP clients ("httpoxy", CVE-2016-5385).  Of a
# chunked body (Apache) the front end has decoded the chunks.
DROPPED = (
    "HTTP_CONTENT_LENGTH",
    "HTTP_CONTENT_TYPE",
    "HTTP_PROXY",
    "HTTP_TRANSFER_ENCODING",
)
NO_LENGTH = {"", "-1"}  # nginx says "" when it streams, Caddy -1
ON = {"on", "1", "yes", "true"}
DEFAULT_PORTS = {"http": "80", "https": "443"}
HOST_AND_PORT = re.compile(r"(\[[^\]]*\]|[^:]*):([0-9]*)")


def gather(pairs: Pairs, limits: Limits) -> dict[str, str]:
    """One value a name: HTTP_* that are repeated are joined, of others the last wins.

    nginx and HAProxy repeat a header field that came twice; nginx appends a
    variable that its configuration sets again.  Raises ProtocolError.
    """
    if len(pairs) > limits.variables:
        raise ProtocolError("too many variables", status=431)
    variables = dict(pairs)
    if len(variables) != len(pairs):
        variables = join_repeated(pairs)
    names = "".join(variables)
    if "=" in names or "\0" in names or "" in variables:
        raise ProtocolError("malformed name of a variable")
    if "\0" in "".join(variables.values()):
        raise ProtocolError("NUL in a variable")
    return variables


def join_repeated(pairs: Pairs) -> dict[str, str]:
    """RFC 9110 5.3, and RFC 6265 5.4 for cookies."""
    variables: dict[str, str] = {}
    for name, value in pairs:
        if name in variables and name.startswith("HTTP_") and name != "HTTP_HOST":
            separator = "; " if name == "HTTP_COOKIE" else ","
            value = variables[name] + separator + value
        variables[name] = value
    return variables


def is_joined(one: dict[str, str], other: dict[str, str]) -> bool:
    """Is there a variable in both of them that is joined, not replaced?"""
    return any(name.startswith("HTTP_") for name in one.keys() & other.keys())


def complete(
    variables: dict[str, str], terms: Terms, remote: dict[str, str]
) -> dict[str, str]:
    """What an application can rely on; changes and returns `variables`.

    `remote` are those of the connection, for a front end that does not name the
    client.  Raises ProtocolError.
    """
    for name in DROPPED:
        variables.pop(name, None)
    if not variables.get("CONTENT_TYPE", "-"):
        del variables["CONTENT_TYPE"]
    if "REMOTE_ADDR" not in variables:  # then neither a REMOTE_PORT of the client's
        variables |= remote
    method = variables.get("REQUEST_METHOD", "")
    if method != "GET" and not METHOD.fullmatch(method):
        raise ProtocolError("malformed REQUEST_METHOD" if method else "no method")
    complete_target(variables, terms.script_name)
    complete_scheme(variables)
    complete_server(variables, terms)
    for name, value in terms.defaults.items():
        if name not in variables:
            variables[name] = value
    return variables


def read_length(variables: dict[str, str], limits: Limits) -> int | None:
    """CONTENT_LENGTH in bytes; removed, and None, where the front end has none."""
    text = variables.get("CONTENT_LENGTH", "")
    if text in NO_LENGTH:
        variables.pop("CONTENT_LENGTH", None)
        return None
    if not CONTENT_LENGTH.fullmatch(text):
        raise ProtocolError("malformed CONTENT_LENGTH")
    length = int(text)
    if limits.body and length > limits.body:
        raise ProtocolError("body too long", status=413)
    return length


def format_request_line(variables: dict[str, str]) -> str:
    """What the client has asked its front end, as far as that has told."""
    names = ("REQUEST_METHOD", "REQUEST_URI", "SERVER_PROTOCOL")
    return " ".join(filter(None, map(variables.get, names)))


def complete_scheme(variables: dict[str, str]) -> None:
    """HTTPS is there when it is on, and only then."""
    if "HTTPS" in variables:
        if variables["HTTPS"].lower() in ON:
            return
        del variables["HTTPS"]
    if variables.get("REQUEST_SCHEME") == "https":
        variables["HTTPS"] = "on"


def complete_server(variables: dict[str, str], terms: Terms) -> None:
    """PEP 3333: SERVER_NAME and SERVER_PORT "can never be empty strings"."""
    if not variables.get("SERVER_PROTOCOL"):
        variables["SERVER_PROTOCOL"] = "HTTP/1.1"
    name = variables.get("SERVER_NAME", "")
    if ":" in name:  # HAProxy: "a.test:80"
        name = variables["SERVER_NAME"] = split_port(name)[0]
    if not name or name == "_":  # nginx, for a server without a name
        name = split_port(variables.get("HTTP_HOST", ""))[0]
        variables["SERVER_NAME"] = name or terms.defaults.get(
            "SERVER_NAME", "localhost"
        )
    if not variables.get("SERVER_PORT", "").isdecimal():
        port = split_port(variables.get("HTTP_HOST", ""))[1]
        scheme = "https" if "HTTPS" in variables else "http"
        variables["SERVER_PORT"] = port or DEFAULT_PORTS[scheme]


def split_port(host: str) -> tuple[str, str]:
    """Name and port; an IPv6 address without brackets has none."""
    found = HOST_AND_PORT.fullmatch(host)
    return (found[1], found[2]) if found else (host, "")
