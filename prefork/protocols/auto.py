"""auto: each connection speaks what it likes, and its first byte tells what.

For a socket that only web servers of this machine can reach: most of these
protocols believe whoever connects.
"""

from prefork.errors import ProtocolError
from prefork.protocols.prelude import Prelude
from prefork.protocols.request import Language
from prefork.protocols.table import speak
from prefork.protocols.terms import Terms

LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
PROTOCOL_OF = {
    0x00: "uwsgi",  # modifier1 of a request for an application
    0x01: "fastcgi",  # the version
    0x12: "ajp",  # the first half of 0x1234
    **dict.fromkeys(b"0123456789", "scgi"),  # the length of a netstring
    # A method; or the empty line that may stand before it (RFC 9112 2.2).
    **dict.fromkeys(LETTERS + b"\r", "http"),
}
TLS_HANDSHAKE = 0x16  # RFC 8446 5.1, ContentType


class Auto:
    """The protocol of a listener; its connections share it."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._languages: dict[str, Language] = {}

    def converse(self, remote: dict[str, str]) -> "AutoConversation":
        """Begin with a connection; `remote`: the variables that it alone has."""
        return AutoConversation(self, remote)

    def recognize(self, first: int) -> Language:
        """The protocol whose requests begin with that byte; ProtocolError."""
        protocol = PROTOCOL_OF.get(first)
        if protocol is None:
            is_tls = first == TLS_HANDSHAKE
            raise ProtocolError("TLS" if is_tls else "bytes of no known protocol")
        if protocol not in self._languages:
            self._languages[protocol] = speak(protocol, self._terms)
        return self._languages[protocol]


class AutoConversation(Prelude):
    """Names as successor a conversation of the protocol that the first byte tells."""

    def __init__(self, auto: Auto, remote: dict[str, str]) -> None:
        super().__init__(remote)
        self._auto = auto

    def feed(self, data: bytes) -> None:
        """Take received bytes; the successor gets them all.  ProtocolError."""
        language = self._auto.recognize(data[0])
        self.successor = language.converse(self.remote), data

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """Nothing: in which protocol could it be said?"""
        return b""
