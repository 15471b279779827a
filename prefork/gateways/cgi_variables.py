"""What a CGI program is told: its environment, and its arguments.

RFC 3875 4.  The variables of a front end reach a program only under names that
mean nothing to the loader, to a shell or to an interpreter.
"""

import re
from collections.abc import Mapping

from prefork.protocols.path import decode_percent

PATH = "/usr/local/bin:/usr/bin:/bin"

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the loader, libc, shells and interpreters obey, and where programs look for
# other programs, for their settings and for a proxy.
FORBIDDEN = re.compile(
    r"LD_.*|PYTHON.*|PERL.*|RUBY.*|NODE_.*|LUA_.*|JAVA_.*|_JAVA_.*|BASH.*|GLIBC_.*"
    r"|MALLOC_.*|GCONV_PATH|LOCPATH|NLSPATH|TERMINFO.*|ENV|IFS|CDPATH|PATH|PS[0-9]"
    r"|SHELL|SHELLOPTS|HOME|TMPDIR|EDITOR|VISUAL|PAGER|GIT_SSH.*|GIT_EXEC_PATH"
    r"|GIT_CONFIG.*|GIT_PROXY_.*|HTTP_PROXY|HTTPS_PROXY|ALL_PROXY|NO_PROXY"
    r"|RES_OPTIONS|HOSTALIASES|RESOLV_.*|TZDIR",
    re.IGNORECASE,
)
# Ours, not the program's: HTTP's own word for the path, said again as REQUEST_URI.
OURS = {"RAW_URI"}


def make_environment(
    variables: Mapping[str, str], extra: Mapping[str, str]
) -> dict[bytes, bytes]:
    """The whole environment of a program: nothing of the server's is inherited.

    `variables` are a request's, in latin-1; `extra` is what the server's settings
    give to all programs, in the encoding of the file system.
    """
    environment = {b"PATH": PATH.encode()}
    for name, value in variables.items():
        if is_allowed(name):
            environment[name.encode()] = value.encode("latin-1")
    for name, value in extra.items():
        environment[name.encode()] = value.encode(errors="surrogateescape")
    return environment


def is_allowed(name: str) -> bool:
    """May a request set that variable?  HTTPS and HTTP_* are the request's own."""
    if name in KNOWN:
        return True
    if name in OURS or not NAME.fullmatch(name) or FORBIDDEN.fullmatch(name):
        return False
    if len(KNOWN) < MOST_KNOWN:
        KNOWN.add(name)
    return True


KNOWN: set[str] = set()  # names that came up and are allowed
MOST_KNOWN = 1024


def find_arguments(variables: Mapping[str, str]) -> list[str]:
    """The search words of a query (RFC 3875 4.4): decoded, never for a shell."""
    query = variables.get("QUERY_STRING", "")
    is_read = variables["REQUEST_METHOD"] in ("GET", "HEAD")
    # "if the query string does not contain any unencoded "=" characters"
    if not query or "=" in query or not is_read:
        return []
    words = [decode_percent(word) for word in query.split("+")]
    return [] if any("\0" in word for word in words) else words
