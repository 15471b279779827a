"""FastCGI: both sides are records, each with the id of its request."""

from collections.abc import Callable, Mapping

from prefork.errors import ProtocolError
from prefork.protocols import fastcgi_records as wire
from prefork.protocols.watching.cgi import WatchedAnswer
from prefork.protocols.watching.events import Complaint, Data, End, Event, Say, Unit
from prefork.protocols.watching.reader import Exactly, Reader, Steps
from prefork.protocols.watching.variables import describe_request, method_of

MOST_OPEN = 100  # requests at once on one connection
MOST_PARAMS = 1 << 20  # bytes of variables of one request
OUTCOMES = {
    wire.REQUEST_COMPLETE: "REQUEST_COMPLETE",
    wire.CANT_MPX_CONN: "CANT_MPX_CONN",
    wire.OVERLOADED: "OVERLOADED",
    wire.UNKNOWN_ROLE: "UNKNOWN_ROLE",
}


class Exchange:
    """One request, and what has come of its answer."""

    def __init__(self, say: Say, number: int) -> None:
        self._say = say
        self.number = number  # in the order of the connection
        self.method = ""
        self.params = bytearray()
        self._problem = ""  # of what stands in STDOUT
        self._answer = WatchedAnswer(self._pass_on, number)
        self._stdout = Reader(self._answer.read(), self._fail)

    def feed(self, output: bytes) -> None:
        """Take what a record of STDOUT holds."""
        self._stdout.feed(output)

    def end(self) -> str:
        """Its answer is over: why it is none to rely on, or ""."""
        self._stdout.end()
        return self._problem or self._answer.find_problem(self.method)

    def _pass_on(self, event: Event) -> None:
        # The units of this protocol are records.
        if not isinstance(event, Unit):
            self._say(event)

    def _fail(self, reason: str) -> None:
        self._problem = reason


Meaning = Callable[[Exchange, bytes], None]


class FastcgiScript:
    """Both sides; of a record of no open request only the name is told."""

    say: Say

    def __init__(self) -> None:
        self._asked = 0
        self._open: dict[int, Exchange] = {}  # by id

    def read_requests(self) -> Steps:
        """Everything that a web server says."""
        meanings = {
            wire.PARAMS: self._take_params,
            wire.STDIN: self._take_body,
            wire.DATA: self._take_body,
        }
        yield from self._read_records(meanings)

    def read_answers(self) -> Steps:
        """Everything that an application says."""
        meanings = {
            wire.STDOUT: self._take_output,
            wire.STDERR: self._take_complaint,
            wire.END_REQUEST: self._take_end,
        }
        yield from self._read_records(meanings)
        for exchange in self._open.values():
            problem = exchange.end() or "closed without an END_REQUEST"
            self.say(End(exchange.number, problem))

    def _read_records(self, meanings: Mapping[int, Meaning]) -> Steps:
        while header := (yield Exactly(wire.HEADER.size, "a record", may_end=True)):
            version, kind, request, size, padding = wire.HEADER.unpack(header)
            if version != wire.VERSION:
                raise ProtocolError(f"no record of FastCGI: its version is {version}")
            content = (yield Exactly(size + padding, "a record"))[:size]
            if kind == wire.BEGIN_REQUEST:
                self._begin(request)
            exchange = self._open.get(request)
            self._name(kind, request, exchange, content)
            if exchange is not None and kind in meanings:
                meanings[kind](exchange, content)

    def _begin(self, request: int) -> None:
        if len(self._open) == MOST_OPEN:
            raise ProtocolError(f"more than {MOST_OPEN} requests at once")
        self._asked += 1
        self._open[request] = Exchange(self.say, self._asked)

    def _name(
        self, kind: int, request: int, exchange: Exchange | None, content: bytes
    ) -> None:
        number = 0 if exchange is None else exchange.number
        detail = describe(kind, content)
        if exchange is None and request:
            detail = f"of request {request}, which is not open"
        name = wire.KINDS.get(kind, f"record of type {kind}")
        self.say(Unit(number, name, len(content), detail))

    def _take_params(self, exchange: Exchange, content: bytes) -> None:
        exchange.params += content
        if len(exchange.params) > MOST_PARAMS:
            raise ProtocolError(f"more than {MOST_PARAMS} bytes of variables")
        if not content:
            pairs = wire.parse_pairs(bytes(exchange.params))
            exchange.params.clear()
            asked = describe_request(exchange.number, pairs)
            exchange.method = method_of(asked)
            self.say(asked)

    def _take_body(self, exchange: Exchange, content: bytes) -> None:
        if content:
            self.say(Data(exchange.number, content))

    def _take_output(self, exchange: Exchange, content: bytes) -> None:
        exchange.feed(content)

    def _take_complaint(self, exchange: Exchange, content: bytes) -> None:
        if content:
            self.say(Complaint(exchange.number, content))

    def _take_end(self, exchange: Exchange, content: bytes) -> None:
        self._open = {id: each for id, each in self._open.items() if each != exchange}
        outcome = wire.END.unpack(content)[1] if len(content) == wire.END.size else 0
        problem = exchange.end()
        if outcome:
            problem = OUTCOMES.get(outcome, f"protocol status {outcome}")
        self.say(End(exchange.number, problem))


def describe(kind: int, content: bytes) -> str:
    """What stands in a record, where its name does not tell."""
    if kind == wire.BEGIN_REQUEST and len(content) == wire.BEGIN.size:
        role, flags = wire.BEGIN.unpack(content)
        keeps = ", keeps the connection" if flags & wire.KEEP_CONN else ""
        return f"{wire.ROLES.get(role, f'role {role}')}{keeps}"
    if kind == wire.END_REQUEST and len(content) == wire.END.size:
        status, outcome = wire.END.unpack(content)
        return f"status {status}, {OUTCOMES.get(outcome, outcome)}"
    if kind in (wire.GET_VALUES, wire.GET_VALUES_RESULT):
        pairs = wire.parse_pairs(content)
        return " ".join(f"{name}={value}" if value else name for name, value in pairs)
    if kind == wire.UNKNOWN_TYPE:
        return f"type {content[0]}" if content else ""
    return ""
