"""What a CGI program is told: its environment, and its arguments.

RFC 3875 4.  The variables of a front end reach a program only under names that
mean nothing to the loader, to a shell or to an interpreter.
"""

import re
from collections.abc import Mapping

from prefork.gateways.cgi_site import Target
from prefork.protocols.memo import Memo
from prefork.protocols.path import decode_percent

PATH = "/usr/local/bin:/usr/bin:/bin"

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the loader, libc, shells and interpreters obey, and where programs look for
# other programs, for their settings and for a proxy.
FORBIDDEN = re.compile(
    r"LD_.*|PYTHON.*|PERL.*|RUBY.*|NODE_.*|LUA_.*|JAVA_.*|_JAVA_.*|BASH.*|GLIBC_.*"
    r"|JDK_.*|CLASSPATH|GEM_.*|TCLLIBPATH|OPENSSL_.*|SSLKEYLOGFILE|ZDOTDIR|FPATH"
    r"|MALLOC_.*|GCONV_PATH|LOCPATH|NLSPATH|TERMINFO.*|ENV|IFS|CDPATH|PATH|PS[0-9]"
    r"|SHELL|SHELLOPTS|HOME|TMPDIR|EDITOR|VISUAL|PAGER|GIT_SSH.*|GIT_EXEC_PATH"
    r"|GIT_CONFIG.*|GIT_PROXY_.*|GIT_TRACE.*|GIT_TEMPLATE_DIR|GIT_ASKPASS"
    r"|GIT_EXTERNAL_DIFF|GIT_EDITOR|GIT_PAGER|HTTP_PROXY|HTTPS_PROXY|ALL_PROXY|NO_PROXY"
    r"|PHPRC|PHP_INI_SCAN_DIR|RES_OPTIONS|HOSTALIASES|RESOLV_.*|TZDIR",
    re.IGNORECASE,
)
# Ours, not the program's: HTTP's own word for the path, said again as REQUEST_URI.
OURS = {"RAW_URI"}


def complete(
    variables: Mapping[str, str], target: Target, *, length: str
) -> dict[str, str]:
    """The variables as that program gets them (RFC 3875 4.1).

    `length` is that of the body; "": there is none.
    """
    known = {
        **variables,
        "SCRIPT_NAME": target.script_name,
        "SCRIPT_FILENAME": target.file,
        "DOCUMENT_ROOT": target.document_root,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "CONTENT_LENGTH": length,
        "PATH_INFO": target.path_info,
        # RFC 3875 4.1.6: "If PATH_INFO is NULL, then the PATH_TRANSLATED variable MUST
        # be set to NULL (or unset)."
        "PATH_TRANSLATED": target.path_info and target.document_root + target.path_info,
    }
    for name in ("CONTENT_LENGTH", "PATH_INFO", "PATH_TRANSLATED"):
        if not known[name]:
            del known[name]
    # RFC 3875 4.1.18: "it SHOULD remove any header fields carrying authentication
    # information": where nobody has made use of it, it is the program's.
    if known.get("AUTH_TYPE"):
        known.pop("HTTP_AUTHORIZATION", None)
    return known


def make_environment(
    variables: Mapping[str, str], extra: Mapping[str, str]
) -> dict[bytes, bytes]:
    """The whole environment of a program: nothing of the server's is inherited.

    `variables` are a request's, in latin-1; `extra` is what the server's settings
    give to all programs, in the encoding of the file system.
    """
    environment = {b"PATH": PATH.encode()}
    for name, value in variables.items():
        if NAMES[name]:
            environment[name.encode()] = value.encode("latin-1")
    for name, value in extra.items():
        environment[name.encode()] = value.encode(errors="surrogateescape")
    return environment


def check_name(name: str) -> str:
    """The name of a variable that a request may set, or "".  HTTP_* are its own."""
    if name in OURS or not NAME.fullmatch(name) or FORBIDDEN.fullmatch(name):
        return ""
    return name


NAMES = Memo(check_name)


def find_arguments(variables: Mapping[str, str]) -> list[str]:
    """The search words of a query (RFC 3875 4.4): decoded, never for a shell."""
    query = variables.get("QUERY_STRING", "")
    is_read = variables["REQUEST_METHOD"] in ("GET", "HEAD")
    # "if the query string does not contain any unencoded "=" characters"
    if not query or "=" in query or not is_read:
        return []
    words = [decode_percent(word) for word in query.split("+")]
    # No search has an empty word; and one that begins with "-" would be an option,
    # which has made interpreters show the source of a program, or run another one
    # (CVE-2012-1823).
    is_search = all(word and word[0] != "-" and "\0" not in word for word in words)
    return words if is_search else []
