"""The PROXY protocol, versions 1 and 2: a proxy says first who its client is.

It stands before the first request of a connection, whatever is spoken then:
https://www.haproxy.org/download/1.8/doc/proxy-protocol.txt
"""

from collections.abc import Container

from prefork.errors import ProtocolError
from prefork.protocols.prelude import Prelude
from prefork.protocols.proxy_header import (
    LONGEST_LINE,
    SHORTEST,
    SIGNATURE,
    WORD,
    measure,
    read_binary,
    read_line,
)
from prefork.protocols.request import Language


class Proxy:
    """A protocol with such a prelude; the connections of a listener share it.

    `trusted`: the addresses whose word is taken.
    """

    def __init__(self, language: Language, trusted: Container[str]) -> None:
        self.language = language
        self.trusted = trusted

    def converse(self, remote: dict[str, str]) -> "ProxyConversation":
        """Begin with a connection; `remote`: the variables that it alone has.

        Raises ProtocolError if nobody there is to be believed.
        """
        peer = remote["REMOTE_ADDR"]
        if peer not in self.trusted:
            raise ProtocolError(f"no proxy to be trusted: {peer or 'unix'}")
        return ProxyConversation(self.language, remote)


class ProxyConversation(Prelude):
    """Gathers the header.

    The receiver "MUST not try to guess whether the protocol header is present or
    not": any client could say then that it is another.
    """

    has_leftover = True  # nobody else could go on with this connection

    def __init__(self, language: Language, remote: dict[str, str]) -> None:
        super().__init__(remote)
        self._language = language
        self._buffer = b""

    def feed(self, data: bytes) -> None:
        """Take received bytes; after the header, name the successor.

        Raises ProtocolError.
        """
        self.is_idle = False
        self._buffer += data
        end = self._find_end()
        if end:
            header, rest = self._buffer[:end], self._buffer[end:]
            read = read_line if header.startswith(WORD) else read_binary
            said = read(header)
            remote = self.remote if said is None else said
            self.successor = self._language.converse(remote), rest

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """The whole answer, in the protocol that was to follow."""
        try:
            conversation = self._language.converse(self.remote)
        except ProtocolError:
            return b""  # the proxy is not to be heard on its own account
        return conversation.refuse(error, date=date)

    def _find_end(self) -> int:
        """Where the header ends; 0: it is not complete."""
        buffer = self._buffer
        if buffer.startswith(WORD):
            end = buffer.find(b"\r\n", 0, LONGEST_LINE) + 2
            if end < 2 and len(buffer) >= LONGEST_LINE:
                raise ProtocolError("PROXY line too long")
            return end if end >= 2 else 0
        if buffer.startswith(SIGNATURE):
            size = measure(buffer) if len(buffer) >= SHORTEST else SHORTEST
            return size if len(buffer) >= size else 0
        if WORD.startswith(buffer) or SIGNATURE.startswith(buffer):
            return 0
        raise ProtocolError("no PROXY header")
