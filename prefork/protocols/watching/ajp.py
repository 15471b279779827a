"""AJP13: packets, of which those of a request body have no code."""

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as wire
from prefork.protocols.watching.ajp_payload import Payload, read_forward_request
from prefork.protocols.watching.cgi import find_problem
from prefork.protocols.watching.events import Answered, Data, End, Say, Unit, Wanted
from prefork.protocols.watching.fields import find, parse_length
from prefork.protocols.watching.reader import Exactly, Reading, Steps

ENDLESS = 1 << 62  # bytes of a body whose length nobody has said

TO_CONTAINER = {
    wire.FORWARD_REQUEST: "FORWARD_REQUEST",
    wire.SHUTDOWN: "SHUTDOWN",
    wire.PING: "PING",
    wire.CPING: "CPING",
}
TO_FRONT_END = {
    wire.SEND_BODY_CHUNK: "SEND_BODY_CHUNK",
    wire.SEND_HEADERS: "SEND_HEADERS",
    wire.END_RESPONSE: "END_RESPONSE",
    wire.GET_BODY_CHUNK: "GET_BODY_CHUNK",
    wire.CPONG: "CPONG",
}


class AjpScript:
    """Both sides; one request at a time."""

    say: Say

    def __init__(self) -> None:
        self._number = 0
        self._is_open = False  # there is a request that has not been answered
        self._method = ""
        self._left = 0  # bytes of the request's body that are to come
        self._status = 0
        self._length: int | None = None  # of the answer's body
        self._size = 0

    def read_requests(self) -> Steps:
        """Everything that a front end says."""
        while (payload := (yield from read_packet(wire.TO_CONTAINER))) is not None:
            if self._left:
                self._take_body(payload.data)
            else:
                self._take_request(payload)

    def read_answers(self) -> Steps:
        """Everything that a container says."""
        meanings = {
            wire.SEND_HEADERS: self._take_head,
            wire.SEND_BODY_CHUNK: self._take_chunk,
            wire.GET_BODY_CHUNK: self._take_wish,
            wire.END_RESPONSE: self._take_end,
        }
        while (payload := (yield from read_packet(wire.TO_FRONT_END))) is not None:
            code = payload.byte()
            name = TO_FRONT_END.get(code, f"packet of code {code}")
            meaning = meanings.get(code)
            if meaning is None:
                self.say(Unit(0, name, len(payload.data)))
            else:
                meaning(name, payload)
        if self._is_open:
            self.say(End(self._number, "closed without an END_RESPONSE"))

    # What a front end says

    def _take_request(self, payload: Payload) -> None:
        if not payload.data:  # as lighttpd sends after a request without a body
            self.say(Unit(self._number, "empty packet", 0))
            return
        code = payload.byte()
        name = TO_CONTAINER.get(code, f"packet of code {code}")
        if code != wire.FORWARD_REQUEST:
            self.say(Unit(0, name, len(payload.data)))
            return
        self._number += 1
        self.say(Unit(self._number, name, len(payload.data)))
        asked = read_forward_request(self._number, payload)
        self.say(asked)
        self._method = asked.line.partition(" ")[0]
        self._is_open = True
        self._status = self._size = 0
        length = parse_length(find(asked.pairs, "content-length"))
        if length is None and find(asked.pairs, "transfer-encoding"):
            length = ENDLESS
        self._left = length or 0

    def _take_body(self, packet: bytes) -> None:
        size = packet[0] << 8 | packet[1] if len(packet) > 1 else 0
        # lighttpd leaves out the length within.
        data = packet[2:] if size + 2 == len(packet) else packet
        if not data:
            self.say(Unit(self._number, "end of the body", 0))
            self._left = 0
            return
        self.say(Unit(self._number, "body", len(data)))
        self.say(Data(self._number, data))
        self._left = max(0, self._left - len(data))

    # What a container says

    def _take_head(self, name: str, payload: Payload) -> None:
        self.say(Unit(self._number, name, len(payload.data)))
        self._status = payload.number()
        reason = payload.string()
        pairs = tuple(payload.headers(wire.ANSWER_HEADERS))
        self._length = parse_length(find(pairs, "content-length"))
        self.say(Answered(self._number, self._status, reason, pairs))

    def _take_chunk(self, name: str, payload: Payload) -> None:
        data = payload.raw(payload.number())
        self.say(Unit(self._number, name, len(data)))
        self.say(Data(self._number, data))
        self._size += len(data)

    def _take_wish(self, name: str, payload: Payload) -> None:
        count = payload.number()
        self.say(Unit(self._number, name, 0, f"of {count} bytes"))
        self.say(Wanted(self._number, count))

    def _take_end(self, name: str, payload: Payload) -> None:
        keeps = "keeps the connection" if payload.byte() else "closes"
        self.say(Unit(self._number, name, 0, keeps))
        self._is_open = False
        self._left = 0  # what has not been asked for is not sent any more
        problem = find_problem(self._method, self._status, self._length, self._size)
        self.say(End(self._number, problem))


def read_packet(magic: bytes) -> Reading[Payload | None]:
    """The payload of the next packet; None: the connection has ended."""
    header = yield Exactly(wire.HEADER_SIZE, "a packet", may_end=True)
    if not header:
        return None
    if header[:2] != magic:
        raise ProtocolError(f"no packet of AJP13: it begins {header[:2].hex(' ')}")
    size = header[2] << 8 | header[3]
    return Payload((yield Exactly(size, "a packet")))
