"""The atoms of an access log format: %(h)s, %({referer}i)s … and what they say.

The names are gunicorn's, most of which are Apache's.  A format is compiled once,
to a template and one function per atom.
"""

import re
from binascii import a2b_base64
from collections.abc import Callable

from prefork.errors import ConfigError
from prefork.monitor.escape import CUT, escape_for_quotes
from prefork.monitor.times import format_common_log

LONGEST_LINE = 8192  # characters, without the newline
ABSENT = "-"

Headers = list[tuple[str, str]]


class Entry:
    """What an access line can tell about one request, answered or refused.

    Not a dataclass: that module alone costs several ms of start-up.
    """

    __slots__ = (
        "headers",
        "note",
        "pid",
        "request_line",
        "seconds",
        "sent",
        "started",
        "status",
        "variables",
    )

    def __init__(
        self,
        *,
        variables: dict[str, str],
        status: int,
        headers: Headers,
        sent: int,
        seconds: float,
        started: float,
        pid: int,
        request_line: str = "",
        note: str = "",
    ) -> None:
        self.variables = variables  # RFC 3875; nearly none if it was refused
        self.request_line = request_line  # as received; used if variables lack it
        self.status = status
        self.headers = headers  # of the response
        self.sent = sent  # bytes of the response body
        self.seconds = seconds  # from arrival to the end of the answer
        self.started = started  # wall clock of the arrival
        self.pid = pid
        self.note = note  # why it was cut or refused


Getter = Callable[[Entry], str]


def compile_format(text: str) -> Getter:
    """Compile an access log format to a function from an entry to a line.

    Everything that comes from a client is escaped, so that no line can be
    forged.  Raises ConfigError for what is not an atom.
    """
    getters: list[Getter] = []

    def compile_atom(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%%"
        if match[1] is None:
            where = text[match.start() :][:8]
            raise ConfigError(f"access log format: no atom begins at {where!r}")
        getters.append(_find_getter(match[1]))
        return "%s"

    template = _ATOM.sub(compile_atom, text)

    def format_line(entry: Entry) -> str:
        line = template % tuple([getter(entry) for getter in getters])
        return line if len(line) <= LONGEST_LINE else line[:LONGEST_LINE] + CUT

    return format_line


_ATOM = re.compile(r"%% | % (?: \( ([^)]*) \) [sd] )?", re.VERBOSE)
_NAMED = re.compile(r"\{(.+)\}([ioe])")


def _find_getter(atom: str) -> Getter:
    if atom in ATOMS:
        return ATOMS[atom]
    if named := _NAMED.fullmatch(atom):
        return _NAMED_GETTERS[named[2]](named[1])
    known = " ".join([*ATOMS, *("{name}" + kind for kind in _NAMED_GETTERS)])
    raise ConfigError(f"access log format: no atom %({atom})s (there are: {known})")


def format_path(variables: dict[str, str]) -> str:
    """Return the path without the query; "" if there is none."""
    return variables.get("SCRIPT_NAME", "") + variables.get("PATH_INFO", "")


def format_target(variables: dict[str, str]) -> str:
    """Return path and query as the client sent them, as far as that is known."""
    if uri := variables.get("REQUEST_URI"):
        return uri
    query = variables.get("QUERY_STRING")
    return format_path(variables) + (f"?{query}" if query else "")


def format_request_line(entry: Entry) -> str:
    """Return the request line; "" if none arrived."""
    variables = entry.variables
    if not (method := variables.get("REQUEST_METHOD")):
        return entry.request_line
    protocol = variables.get("SERVER_PROTOCOL", ABSENT)
    return f"{method} {format_target(variables)} {protocol}"


def find_user(variables: dict[str, str]) -> str:
    """Return who the client says it is, to the front end or by Basic (RFC 7617)."""
    if user := variables.get("REMOTE_USER"):
        return user
    if not (authorization := variables.get("HTTP_AUTHORIZATION")):
        return ""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return a2b_base64(credentials).partition(b":")[0].decode("latin-1")
    except ValueError:  # not base64: refused by whoever checks the password
        return ""


def _show(value: str) -> str:
    return escape_for_quotes(value) if value else ABSENT


def _get_user(entry: Entry) -> str:
    # The user stands without quotes in the usual formats: a space in it would
    # begin the next column.
    return _show(find_user(entry.variables)).replace(" ", "\\x20")


def _variable(name: str) -> Getter:
    def get(entry: Entry) -> str:
        value = entry.variables.get(name)
        return escape_for_quotes(value) if value else ABSENT

    return get


def _request_header(name: str) -> Getter:
    variable = name.upper().replace("-", "_")
    if variable in ("CONTENT_TYPE", "CONTENT_LENGTH"):  # RFC 3875, 4.1.2, 4.1.3
        return _variable(variable)
    return _variable("HTTP_" + variable)


def _response_header(name: str) -> Getter:
    wanted = name.lower()

    def get(entry: Entry) -> str:
        values = [value for name, value in entry.headers if name.lower() == wanted]
        return _show(", ".join(values))

    return get


def _environ(name: str) -> Getter:
    if name == "prefork.note":
        return lambda entry: _show(entry.note)
    return _variable(name)


ATOMS: dict[str, Getter] = {
    "h": _variable("REMOTE_ADDR"),
    "l": lambda entry: ABSENT,  # what identd (RFC 1413) would say
    "u": _get_user,
    "t": lambda entry: format_common_log(int(entry.started)),
    "r": lambda entry: _show(format_request_line(entry)),
    "m": _variable("REQUEST_METHOD"),
    "U": lambda entry: _show(format_path(entry.variables)),
    "q": _variable("QUERY_STRING"),
    "H": _variable("SERVER_PROTOCOL"),
    "s": lambda entry: str(entry.status),
    "B": lambda entry: str(entry.sent),
    "b": lambda entry: str(entry.sent or ABSENT),
    "f": _variable("HTTP_REFERER"),
    "a": _variable("HTTP_USER_AGENT"),
    "T": lambda entry: str(int(entry.seconds)),
    "M": lambda entry: str(int(entry.seconds * 1e3)),
    "D": lambda entry: str(round(entry.seconds * 1e6)),
    "L": lambda entry: f"{entry.seconds:.6f}",
    "p": lambda entry: f"<{entry.pid}>",
}

_NAMED_GETTERS: dict[str, Callable[[str], Getter]] = {
    "i": _request_header,
    "o": _response_header,
    "e": _environ,
}
