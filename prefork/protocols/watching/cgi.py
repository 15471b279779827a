"""An answer as CGI words it (RFC 3875 6): alone, in SCGI, uwsgi and FastCGI."""

import re

from prefork.errors import ProtocolError
from prefork.protocols.watching.events import Answered, End, Pairs, Say
from prefork.protocols.watching.fields import (
    find,
    parse_length,
    read_fields,
    read_line,
    read_rest,
)
from prefork.protocols.watching.reader import Steps

# As uwsgi has it, and the programs of CGI whose name begins with `nph-`.
STATUS_LINE = re.compile(r"HTTP/[0-9.]+ +([1-9][0-9]{2})(?: +(.*)|)")
STATUS = re.compile(r"([1-9][0-9]{2})(?: +(.*)|)")


class PlainScript:
    """One request a connection, and one answer, which ends with it."""

    say: Say

    def __init__(self, method: str = "") -> None:
        self.method = method  # of the request, once it is known

    def read_requests(self) -> Steps:
        """What a program reads; its request is its environment."""
        yield from read_rest(self.say, 1)

    def read_answers(self) -> Steps:
        """The one answer."""
        answer = WatchedAnswer(self.say, 1)
        yield from answer.read()
        self.say(End(1, answer.find_problem(self.method)))


class WatchedAnswer:
    """Head and body of one answer, and what was wrong with it."""

    def __init__(self, say: Say, number: int) -> None:
        self._say = say
        self._number = number
        self._status = 0
        self._length: int | None = None
        self._size = 0

    def read(self) -> Steps:
        """Up to the end of what the program has written."""
        line = yield from read_line("the head of the answer")
        if found := STATUS_LINE.fullmatch(line):
            pairs = yield from read_fields()
        else:
            pairs = yield from read_fields(line)
            found = find_status(pairs)
        self._status = int(found[1])
        self._say(Answered(self._number, self._status, found[2] or "", pairs))
        self._length = parse_length(find(pairs, "content-length"))
        self._size = yield from read_rest(self._say, self._number)

    def find_problem(self, method: str) -> str:
        """Why its body is not what its head says; "" if it is."""
        return find_problem(method, self._status, self._length, self._size)


def find_problem(method: str, status: int, length: int | None, size: int) -> str:
    """Why a body of that size is not what was promised; "" if it is."""
    if not status:
        return "no answer"
    if method == "HEAD" or status in (204, 304):
        return "a body, where there must be none" if size else ""
    if length is None or length == size:
        return ""
    return f"{size} bytes of a body whose Content-Length is {length}"


def find_status(pairs: Pairs) -> re.Match[str]:
    """Code and reason; without a Status field 302 for a Location, else 200."""
    text = find(pairs, "status") or ("302" if find(pairs, "location") else "200")
    if found := STATUS.fullmatch(text):
        return found
    raise ProtocolError(f"malformed Status {text[:40]!r}")
