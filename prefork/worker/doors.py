"""A door: one listener as a worker sees it, and what is spoken behind it."""

import os
import socket
import struct
from dataclasses import replace

from prefork.protocols import forwarded
from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.proxy import Proxy
from prefork.protocols.request import Conversation
from prefork.protocols.table import speak
from prefork.protocols.terms import Terms
from prefork.system.listen import door_name

# A listener's O_NONBLOCK is shared by all processes that have it, and a library
# that an application uses may clear it for all: then accept() would block an idle
# worker until somebody comes.  Its timeout (socket(7), SO_RCVTIMEO) is a matter of
# the socket, costs nothing, and turns such a wait into one tick of the kernel's
# clock, until accept() has set the flag again.
SHORTEST_WAIT = struct.pack("@ll", 0, 1000)  # struct timeval: 1 ms


class Door:
    """Accepts connections; knows their protocol and which of them to believe."""

    def __init__(
        self,
        listener: socket.socket,
        protocol: str,
        terms: Terms,
        trusted_peers: TrustedPeers,
        *,
        proxies: TrustedPeers | None = None,
    ) -> None:
        """`proxies` have to say first who their client is; None: nobody does."""
        self._listener = listener
        self._trusted_peers = trusted_peers
        self.is_unix = listener.family == socket.AF_UNIX
        self.fd = listener.fileno()
        listener.setblocking(False)  # it may have socket.setdefaulttimeout()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, SHORTEST_WAIT)
        defaults = {**terms.defaults, **self._variables_of_all()}
        self.terms = replace(terms, defaults=defaults)
        self.name = door_name(protocol, listener)
        self.language = self._own_language = speak(protocol, self.terms)
        if proxies is not None:
            self.language = Proxy(self.language, proxies)

    def accept(self) -> tuple[int, dict[str, str]]:
        """One connection: descriptor and REMOTE_* variables; BlockingIOError.

        socket.accept() without the socket object it would make: see client.py.
        """
        try:
            fd, peer = self._listener._accept()  # type: ignore[attr-defined]
        except BlockingIOError:
            os.set_blocking(self.fd, False)
            raise
        os.set_blocking(fd, False)
        if self.is_unix:
            return fd, {"REMOTE_ADDR": ""}
        return fd, {"REMOTE_ADDR": peer[0], "REMOTE_PORT": str(peer[1])}

    def resume(self, remote: dict[str, str]) -> Conversation:
        """Go on with a connection that was a sibling's; it has said who it is."""
        return self._own_language.converse(remote)

    def trust(self, variables: dict[str, str]) -> None:
        """Believe what a trusted proxy says of its client; drop it from others."""
        if forwarded.is_forwarded(variables):
            # Of a front end's variables this is who connected to the front end.
            peer = variables["REMOTE_ADDR"] or "unix"
            forwarded.apply_forwarded(
                variables,
                trusted=peer in self._trusted_peers,
                is_trusted=self._trusted_peers.__contains__,
            )

    def _variables_of_all(self) -> dict[str, str]:
        host, port = ("localhost", "80")
        if not self.is_unix:
            host, number = self._listener.getsockname()[:2]
            # RFC 3875 4.1.14: "ipv6-address" stands in brackets.
            host, port = f"[{host}]" if ":" in host else host, str(number)
        return {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": port,
            "SERVER_SOFTWARE": "prefork",
        }
