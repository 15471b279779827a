"""What a front end's request is for: SCRIPT_NAME, PATH_INFO, REQUEST_URI.

PEP 3333 has SCRIPT_NAME and PATH_INFO add up to the path of the URL.  Front ends,
and their configurations, have six ways to fill them in.
"""

from prefork.protocols.path import (
    apply_prefix,
    decode_percent,
    encode_path,
    resolve_dots,
)


def complete_target(variables: dict[str, str], prefix: str) -> None:
    """REQUEST_URI, QUERY_STRING, SCRIPT_NAME and PATH_INFO, each in its place.

    `prefix` is what SCRIPT_NAME was configured to be; "": as the front end says.
    """
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
    if path is None:
        return split_one_path(variables, name, raw_path)
    if name.endswith("/"):  # a split at "/app/", or at "/"
        name, path = name[:-1], path if path.startswith("/") else "/" + path
    if not name or not path or (name + path == raw_path and "%" not in path):
        return name, path
    return reconcile(name, path, raw_path)


def split_one_path(
    variables: dict[str, str], name: str, raw_path: str
) -> tuple[str, str]:
    """The same where there is no PATH_INFO.

    Apache, HAProxy without a path-info pattern, and nginx with its stock
    fastcgi_params put the whole path into SCRIPT_NAME.  lighttpd leaves PATH_INFO
    out when it is empty.  nginx's stock scgi_params has neither.
    """
    if name and variables.get("SERVER_SOFTWARE", "").startswith("lighttpd"):
        return (name[:-1], "/") if name.endswith("/") else (name, "")
    return "", name or variables.get("DOCUMENT_URI", "") or decode_percent(raw_path)


def reconcile(name: str, path: str, raw_path: str) -> tuple[str, str]:
    """Read SCRIPT_NAME and PATH_INFO so that they add up to the path of the URL.

    Nothing is guessed: where no reading adds up, the front end has rewritten the
    URL, and is believed.
    """
    wholes = decode_path(raw_path)
    if name + path in wholes:
        return name, path
    decoded = decode_percent(path)
    if name + decoded in wholes:  # Apache, with ProxyFCGISetEnvIf
        return name, decoded
    # Apache (proxy-fcgi-pathinfo=1, proxy-scgi-pathinfo=1): the whole path, and
    # the end of it once more, still encoded.  nginx, where both are
    # $fastcgi_script_name: the whole path twice.
    if name in wholes and name.endswith(decoded):
        return name.removesuffix(decoded), decoded
    # nginx, where SCRIPT_NAME was set beside a PATH_INFO of $document_uri.
    if path in wholes and path.startswith(name + "/"):
        return name, path.removeprefix(name)
    return name, path


def decode_path(raw_path: str) -> set[str]:
    """The path of a URL as each front end would decode it."""
    decoded = decode_percent(raw_path)
    return {
        decoded,  # HAProxy
        resolve_dots(decoded),  # nginx, lighttpd
        decode_percent(resolve_dots(raw_path)),  # Apache
    }
