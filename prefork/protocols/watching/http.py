"""HTTP/1: requests one after the other, and their answers in the same order."""

from collections import deque

from prefork.errors import ProtocolError
from prefork.protocols.watching.cgi import STATUS_LINE
from prefork.protocols.watching.events import Answered, Asked, End, Pairs, Say, Unit
from prefork.protocols.watching.fields import (
    find,
    parse_length,
    read_chunks,
    read_fields,
    read_first_line,
    read_rest,
    read_sized,
)
from prefork.protocols.watching.reader import Arrival, Some, Steps

MOST_PIPELINED = 1000
SWITCHED = 101


class HttpScript:
    """Both sides; answers are understood by the method that they answer."""

    say: Say

    def __init__(self) -> None:
        self._methods: deque[str] = deque()  # of what has not been answered
        self._asked = 0
        self._answered = 0
        self._is_switched = False  # to another protocol, by a status 101

    def read_requests(self) -> Steps:
        """Everything that a client says."""
        while not self._is_switched:
            line = yield from read_first_line("a request line")
            if not line:
                return
            yield from self._read_request(line)
            yield Arrival()  # by then the server may have switched
        yield from self._pass_by()

    def read_answers(self) -> Steps:
        """Everything that a server says."""
        while line := (yield from read_first_line("a status line")):
            yield from self._read_answer(line)
            if self._is_switched:
                yield from self._pass_by()
        for number in range(self._answered + 1, self._asked + 1):
            self.say(End(number, "closed without an answer"))

    def _read_request(self, line: str) -> Steps:
        method, _, rest = line.partition(" ")
        if not rest.rpartition(" ")[2].startswith("HTTP/"):
            raise ProtocolError(f"no request line of HTTP: {line[:40]!r}")
        if len(self._methods) == MOST_PIPELINED:
            raise ProtocolError(f"{MOST_PIPELINED} requests without an answer")
        pairs = yield from read_fields()
        self._asked += 1
        self._methods.append(method)
        self.say(Asked(self._asked, line, pairs))
        if is_chunked(pairs):
            yield from read_chunks(self.say, self._asked)
        else:
            length = parse_length(find(pairs, "content-length")) or 0
            yield from read_sized(self.say, self._asked, length, "the request's body")

    def _read_answer(self, line: str) -> Steps:
        found = STATUS_LINE.fullmatch(line)
        if not found:
            raise ProtocolError(f"no status line of HTTP: {line[:40]!r}")
        status = int(found[1])
        pairs = yield from read_fields()
        number = self._answered + 1
        self.say(Answered(number, status, found[2] or "", pairs))
        self._is_switched = status == SWITCHED
        if status >= 200 or self._is_switched:
            self._answered = number
            method = self._methods.popleft() if self._methods else ""
            if method != "HEAD" and status not in (101, 204, 304):
                yield from self._read_body(pairs)
            self.say(End(number))

    def _read_body(self, pairs: Pairs) -> Steps:
        length = parse_length(find(pairs, "content-length"))
        if is_chunked(pairs):
            yield from read_chunks(self.say, self._answered)
        elif length is None:
            yield from read_rest(self.say, self._answered)
        else:
            yield from read_sized(self.say, self._answered, length, "the answer's body")

    def _pass_by(self) -> Steps:
        while data := (yield Some()):
            self.say(Unit(0, "no longer HTTP", len(data)))


def is_chunked(pairs: Pairs) -> bool:
    coding = find(pairs, "transfer-encoding").lower()
    return coding.rpartition(",")[2].strip() == "chunked"
