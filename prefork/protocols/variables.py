"""The variables of a front end, made what RFC 3875 and PEP 3333 promise of them.

FastCGI, SCGI, uwsgi, AJP and CGI carry the same variables, and each web server has
ways of its own to fill them in.  A protocol takes the pairs off the wire, `gather`
makes a dict of them, `complete` finishes it.
"""

import re

from prefork.errors import ProtocolError
from prefork.protocols.grammar import CONTENT_LENGTH, METHOD
from prefork.protocols.http_line import decode_percent
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
PORT = re.compile(r":[0-9]*\Z")
DEFAULT_PORTS = {"http": "80", "https": "443"}
# What may stand in a URI as it is: RFC 3986 3.3, pchar and "/".
PLAIN_PATH = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/-]")


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


def complete(
    variables: dict[str, str], terms: Terms, remote: dict[str, str]
) -> dict[str, str]:
    """What an application can rely on; changes and returns `variables`.

    `remote` are those of the connection, for a front end that does not name the
    client.  Raises ProtocolError.
    """
    for name in DROPPED:
        variables.pop(name, None)
    variables = {**terms.defaults, **remote, **variables}
    method = variables.get("REQUEST_METHOD", "")
    if method != "GET" and not METHOD.fullmatch(method):
        raise ProtocolError("malformed REQUEST_METHOD" if method else "no method")
    complete_target(variables, terms.script_name)
    complete_scheme(variables)
    complete_server(variables, terms)
    if not variables.get("CONTENT_TYPE", "-"):
        del variables["CONTENT_TYPE"]
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


# ---- what was asked for


def complete_target(variables: dict[str, str], prefix: str) -> None:
    """REQUEST_URI, QUERY_STRING, SCRIPT_NAME and PATH_INFO, each in its place."""
    target = variables.get("REQUEST_URI", "")
    raw_path, _, query = target.partition("?")
    if "QUERY_STRING" not in variables:  # HAProxy, when there is none
        variables["QUERY_STRING"] = query
    name, path = split_path(variables, raw_path)
    if prefix:
        name, path = apply_prefix(prefix, name + path)
    variables["SCRIPT_NAME"], variables["PATH_INFO"] = name, path
    if not target:
        query = variables["QUERY_STRING"]
        target = encode_path(name + path) + ("?" + query if query else "")
        variables["REQUEST_URI"] = target
    variables["RAW_URI"] = target


def split_path(variables: dict[str, str], raw_path: str) -> tuple[str, str]:
    """SCRIPT_NAME and PATH_INFO, by what the front end says of them."""
    name = variables.get("SCRIPT_NAME", "")
    path = variables.get("PATH_INFO")
    if name == "/":
        name, path = "", path or "/"
    if path is None:
        return split_one_path(variables, name, raw_path)
    # Apache (proxy-fcgi-pathinfo=1, proxy-scgi-pathinfo=1): the whole path, and
    # the end of it once more, still encoded.
    if "SCRIPT_FILENAME" in variables and path and name == decode_percent(raw_path):
        path = decode_percent(path)
        name = name.removesuffix(path)
    return name, path


def split_one_path(
    variables: dict[str, str], name: str, raw_path: str
) -> tuple[str, str]:
    """The same where there is no PATH_INFO.

    Apache, HAProxy without a path-info pattern, and nginx with its stock
    fastcgi_params put the whole path into SCRIPT_NAME.  lighttpd leaves PATH_INFO
    out when it is empty.  nginx's stock scgi_params has neither.
    """
    if name and variables.get("SERVER_SOFTWARE", "").startswith("lighttpd"):
        return name, ""
    return "", name or variables.get("DOCUMENT_URI", "") or decode_percent(raw_path)


def apply_prefix(prefix: str, path: str) -> tuple[str, str]:
    """SCRIPT_NAME as it was configured; the front end may have cut it off."""
    rest = path.removeprefix(prefix)
    if rest != path and rest[:1] in ("", "/"):
        return prefix, rest
    return prefix, path


def encode_path(path: str) -> str:
    """The path of a URI, of decoded bytes as latin-1 text."""
    return PLAIN_PATH.sub(lambda found: f"%{ord(found[0]):02X}", path)


# ---- whom it was asked


def complete_scheme(variables: dict[str, str]) -> None:
    """HTTPS is there when it is on, and only then."""
    if variables.get("HTTPS", "").lower() in ON:
        return
    variables.pop("HTTPS", None)
    if variables.get("REQUEST_SCHEME") == "https":
        variables["HTTPS"] = "on"


def complete_server(variables: dict[str, str], terms: Terms) -> None:
    """PEP 3333: SERVER_NAME and SERVER_PORT "can never be empty strings"."""
    if "SERVER_PROTOCOL" not in variables:
        variables["SERVER_PROTOCOL"] = "HTTP/1.1"
    host = variables.get("HTTP_HOST", "")
    name = PORT.sub("", variables["SERVER_NAME"])  # HAProxy: "localhost:8100"
    if not name or name == "_":  # nginx, for a server without a name
        name = PORT.sub("", host) or terms.defaults.get("SERVER_NAME", "localhost")
    variables["SERVER_NAME"] = name
    if not variables.get("SERVER_PORT", "").isdigit():
        port = PORT.search(host)
        scheme = "https" if "HTTPS" in variables else "http"
        variables["SERVER_PORT"] = port[0][1:] if port else DEFAULT_PORTS[scheme]
