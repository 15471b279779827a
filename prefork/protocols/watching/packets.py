"""SCGI and uwsgi: variables in a packet, then the body; one request each."""

from prefork.errors import ProtocolError
from prefork.protocols import scgi, uwsgi
from prefork.protocols.watching.cgi import PlainScript
from prefork.protocols.watching.events import End, Unit
from prefork.protocols.watching.fields import read_rest
from prefork.protocols.watching.reader import Exactly, Steps, Through
from prefork.protocols.watching.variables import describe_request, method_of

LONGEST_NETSTRING = 1 << 20  # bytes


class PacketScript(PlainScript):
    """What both have in common."""

    def _ask(self, variables: list[tuple[str, str]]) -> Steps:
        asked = describe_request(1, variables)
        self.method = method_of(asked)
        self.say(asked)
        yield from read_rest(self.say, 1)


class ScgiScript(PacketScript):
    """A netstring: its length in digits, a colon, names and values, a comma."""

    def read_requests(self) -> Steps:
        """The one request."""
        start = yield Through(b":", 10, "the length of a netstring", may_end=True)
        if not start:
            return
        digits = start[:-1]
        if not digits.isdigit() or int(digits) > LONGEST_NETSTRING:
            raise ProtocolError(f"no length of a netstring: {digits!r}")
        content = yield Exactly(int(digits) + 1, "a netstring")
        if content[-1:] != b",":
            raise ProtocolError("no comma after the netstring")
        self.say(Unit(1, "netstring", len(content) - 1))
        yield from self._ask(scgi.parse_pairs(content[:-1]))


class UwsgiScript(PacketScript):
    """Four bytes, which say what it is and how long, then names and values."""

    def __init__(self) -> None:
        super().__init__()
        self._is_ping = False

    def read_requests(self) -> Steps:
        """The one request, or ping."""
        header = yield Exactly(uwsgi.HEADER, "a packet", may_end=True)
        if not header:
            return
        size = header[1] | header[2] << 8
        content = yield Exactly(size, "the variables of a packet")
        detail = f"modifiers {header[0]} and {header[3]}"
        self.say(Unit(1, "packet", size, detail))
        if header[0] == uwsgi.PING:
            self._is_ping = True
        else:
            yield from self._ask(uwsgi.parse_pairs(content))

    def read_answers(self) -> Steps:
        """The one answer, or what answers a ping."""
        if self._is_ping:
            header = yield Exactly(uwsgi.HEADER, "a packet")
            self.say(Unit(1, "packet", 0, f"modifiers {header[0]} and {header[3]}"))
            self.say(End(1))
        else:
            yield from super().read_answers()
