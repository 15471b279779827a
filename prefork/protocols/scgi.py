"""SCGI: the variables as one netstring, then the body."""

from prefork.errors import ProtocolError
from prefork.protocols.answer import CgiAnswer
from prefork.protocols.grammar import CONTENT_LENGTH
from prefork.protocols.known import VariablesAndLength, VariablesReader
from prefork.protocols.packet import PacketConversation, check_length
from prefork.protocols.terms import Terms
from prefork.protocols.variables import Pairs

LONGEST_LENGTH = 9  # digits: no netstring is as long, whatever the limit


class Scgi:
    """The protocol of a listener; its connections share it."""

    answers = CgiAnswer
    refusal = "Status: "

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._reader = VariablesReader(parse_pairs, terms, check=check)

    def converse(self, remote: dict[str, str]) -> PacketConversation:
        """Begin with a connection; `remote`: the variables that it alone has."""
        return PacketConversation(self, remote)

    def measure(self, data: bytes) -> int:
        """Bytes of the netstring that `data` begins; 0: too little to tell."""
        digits, colon, _ = data[: LONGEST_LENGTH + 1].partition(b":")
        if not digits.isdigit() or (digits[:1] == b"0" and len(digits) > 1):
            raise ProtocolError("malformed netstring length")
        if not colon:
            if len(digits) > LONGEST_LENGTH:
                raise ProtocolError("netstring too long", status=431)
            return 0
        size = int(digits)
        if size > self.terms.limits.variables_size:
            raise ProtocolError("netstring too long", status=431)
        return len(digits) + 1 + size + 1

    def read(
        self, packet: bytes, *, remote: dict[str, str], asked: dict[str, str]
    ) -> VariablesAndLength:
        """What a netstring asks for."""
        if packet[-1] != 44:  # the comma that ends a netstring
            raise ProtocolError("netstring longer than its length")
        pairs = packet[packet.index(b":") + 1 : -1]
        at = find_client(pairs)
        return self._reader.read(pairs, *at, remote=remote, asked=asked)


def check(variables: dict[str, str]) -> None:
    """Raise ProtocolError if one that must be there is not; mend CONTENT_LENGTH."""
    # SCGI: "There MUST also always be a header with the name "SCGI" and a value of
    # "1"."
    if variables.pop("SCGI", "") != "1":
        raise ProtocolError("no variable SCGI")
    if "CONTENT_LENGTH" not in variables:
        raise ProtocolError("no CONTENT_LENGTH")
    restore_length(variables)
    check_length(variables)


def parse_pairs(data: bytes) -> Pairs:
    """Names and values, each with a NUL behind it."""
    fields = data.decode("latin-1").split("\0")
    if fields.pop() or len(fields) % 2:
        raise ProtocolError("variable without its end")
    return list(zip(fields[::2], fields[1::2], strict=True))


def find_client(data: bytes) -> tuple[int, int]:
    """Where REMOTE_ADDR seems to begin, and REMOTE_PORT to end."""
    start = data.find(b"\0REMOTE_ADDR\0") + 1
    return start, data.find(b"\0", data.find(b"\0REMOTE_PORT\0", start) + 13) + 1


def restore_length(variables: dict[str, str]) -> None:
    """nginx before 1.29.6, with `scgi_request_buffering off`, sends as
    CONTENT_LENGTH how much of the body it has, and the client's field as well."""
    truth = variables.get("HTTP_CONTENT_LENGTH")
    if truth is not None and truth != variables["CONTENT_LENGTH"]:
        lengths = [variables["CONTENT_LENGTH"], truth]
        if all(map(CONTENT_LENGTH.fullmatch, lengths)):
            variables["CONTENT_LENGTH"] = max(lengths, key=int)
