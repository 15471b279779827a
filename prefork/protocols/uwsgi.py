"""uwsgi, the protocol of uWSGI: a packet of pairs, at most 64 KiB; the body."""

from prefork.errors import ProtocolError
from prefork.protocols.answer import CgiAnswer
from prefork.protocols.http_answer import format_status_line
from prefork.protocols.known import VariablesAndLength, VariablesReader
from prefork.protocols.memo import Memo
from prefork.protocols.packet import PacketConversation, check_length
from prefork.protocols.terms import Terms
from prefork.protocols.variables import Pairs

HEADER = 4  # modifier1, size of the pairs (16 bits, little-endian), modifier2
REQUEST, PING = 0, 100  # modifier1
PONG = b"\x64\0\0\1"


class UwsgiAnswer(CgiAnswer):
    """Apache takes nothing but an answer that begins as in HTTP."""

    __slots__ = ()

    first_lines = Memo(format_status_line)


class Uwsgi:
    """The protocol of a listener; its connections share it."""

    answers = UwsgiAnswer
    refusal = "HTTP/1.1 "

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._reader = VariablesReader(parse_pairs, terms, check=check_length)

    def converse(self, remote: dict[str, str]) -> PacketConversation:
        """Begin with a connection; `remote`: the variables that it alone has."""
        return PacketConversation(self, remote)

    def measure(self, data: bytes) -> int:
        """Bytes of the packet that `data` begins; 0: too little to tell."""
        if not data:
            return 0
        if data[0] != REQUEST and data[0] != PING:
            reason = f"modifier1 is {data[0]}: only requests of WSGI (0) are served"
            raise ProtocolError(reason, status=501)
        if len(data) < HEADER:
            return 0
        size = data[1] | data[2] << 8
        if size > self.terms.limits.variables_size:
            raise ProtocolError("packet too long", status=431)
        return HEADER + size

    def read(
        self, packet: bytes, *, remote: dict[str, str], asked: dict[str, str]
    ) -> VariablesAndLength | bytes:
        """What a packet asks for; or the reply to a ping."""
        if packet[0] == PING:
            return PONG
        pairs = packet[HEADER:]
        at = find_client(pairs)
        return self._reader.read(pairs, *at, remote=remote, asked=asked)


def find_client(data: bytes) -> tuple[int, int]:
    """Where REMOTE_ADDR seems to begin, and REMOTE_PORT to end."""
    start = data.find(b"\x0b\0REMOTE_ADDR")
    middle = data.find(b"\x0b\0REMOTE_PORT", start) + 13
    end = middle + 2 + data[middle] if middle < len(data) else 0
    return start, end


def parse_pairs(data: bytes) -> Pairs:
    """Names and values, the length of each before it in 16 bits, little-endian.

    Hot, and so plain.
    """
    text = data.decode("latin-1")
    pairs = []
    at, end = 0, len(data)
    try:
        while at < end:
            middle = at + 2 + (data[at] | data[at + 1] << 8)
            last = middle + 2 + (data[middle] | data[middle + 1] << 8)
            pairs.append((text[at + 2 : middle], text[middle + 2 : last]))
            at = last
    except IndexError:
        raise ProtocolError("variable longer than its packet") from None
    if at != end:
        raise ProtocolError("variable longer than its packet")
    return pairs
