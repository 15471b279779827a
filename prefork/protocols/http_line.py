"""The request line of an HTTP/1 head: from bytes to meta-variables."""

from prefork.errors import ProtocolError
from prefork.protocols.grammar import ABSOLUTE_FORM, METHOD, VERSION
from prefork.protocols.http_fields import HOSTS
from prefork.protocols.memo import BytesMemo
from prefork.protocols.path import apply_prefix, decode_percent
from prefork.protocols.terms import Limits


class RequestLines(BytesMemo[dict[str, str]]):
    """Request lines, looked up by their bytes: what is asked for is asked again."""

    def __init__(self, limits: Limits, script_name: str = "") -> None:
        super().__init__()
        self._longest = limits.line
        self._script_name = script_name

    def compute(self, key: bytes) -> dict[str, str]:
        if len(key) > self._longest:
            raise ProtocolError("request line too long", status=414)
        variables = parse_line(key.decode("latin-1"))
        if self._script_name:
            name, path = apply_prefix(self._script_name, variables["PATH_INFO"])
            variables["SCRIPT_NAME"], variables["PATH_INFO"] = name, path
        return variables


def parse_line(line: str) -> dict[str, str]:
    """Turn a request line into variables; HTTP_HOST if it names an authority."""
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
    variables = {
        "REQUEST_METHOD": method,
        "REQUEST_URI": target,
        "RAW_URI": target,
        "SERVER_PROTOCOL": version,
        "PATH_INFO": decode_percent(path) if "%" in path else path,
        "QUERY_STRING": query,
    }
    return variables | {"HTTP_HOST": authority} if authority else variables


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
