"""SCGI: the variables as one netstring, then the body."""

from prefork.errors import ProtocolError
from prefork.protocols.answer import CgiAnswer
from prefork.protocols.packet import PacketConversation
from prefork.protocols.terms import Terms
from prefork.protocols.variables import gather

LONGEST_LENGTH = 9  # digits: no netstring is as long, whatever the limit


class Scgi:
    """The protocol of a listener; its connections share it."""

    answers = CgiAnswer
    refusal = "Status: "

    def __init__(self, terms: Terms) -> None:
        self.terms = terms

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

    def read(self, packet: bytes) -> dict[str, str]:
        """The variables in a netstring, NUL after each name and each value."""
        if packet[-1] != 44:  # the comma that ends a netstring
            raise ProtocolError("netstring longer than its length")
        text = packet.decode("latin-1")
        fields = text[text.index(":") + 1 : -1].split("\0")
        if fields.pop() or len(fields) % 2:
            raise ProtocolError("variable without its end")
        pairs = list(zip(fields[::2], fields[1::2], strict=True))
        variables = gather(pairs, self.terms.limits)
        # "A header with the name "SCGI" and a value of "1"."
        if variables.pop("SCGI", "") != "1":
            raise ProtocolError("no variable SCGI")
        if "CONTENT_LENGTH" not in variables:
            raise ProtocolError("no CONTENT_LENGTH")
        return variables
