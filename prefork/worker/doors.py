"""A door: one listener as a worker sees it, and the protocol spoken behind it."""

import os
import socket
from collections.abc import Callable

from prefork.protocols import forwarded, http
from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.http import Http, Limits

PROTOCOLS: dict[str, Callable[..., Http]] = {"http": http.Http}


class Door:
    """Accepts connections; knows their protocol and which of them to believe."""

    def __init__(
        self,
        listener: socket.socket,
        protocol_name: str,
        *,
        limits: Limits,
        trusted_peers: TrustedPeers,
    ) -> None:
        self._listener = listener
        self._trusted_peers = trusted_peers
        self._is_unix = listener.family == socket.AF_UNIX
        self.fd = listener.fileno()
        self.protocol = PROTOCOLS[protocol_name](
            limits=limits, defaults=self._variables_of_all()
        )

    def accept(self) -> tuple[int, dict[str, str]]:
        """One connection: descriptor and REMOTE_* variables; BlockingIOError.

        socket.accept() without the socket object it would make: see client.py.
        """
        fd, peer = self._listener._accept()  # type: ignore[attr-defined]
        os.set_blocking(fd, False)
        if self._is_unix:
            return fd, {"REMOTE_ADDR": ""}
        return fd, {"REMOTE_ADDR": peer[0], "REMOTE_PORT": str(peer[1])}

    def trust(self, variables: dict[str, str]) -> None:
        """Believe what a trusted proxy says of its client; drop it from others."""
        if forwarded.is_forwarded(variables):
            peer = "unix" if self._is_unix else variables["REMOTE_ADDR"]
            forwarded.apply_forwarded(
                variables,
                trusted=peer in self._trusted_peers,
                is_trusted=self._trusted_peers.__contains__,
            )

    def _variables_of_all(self) -> dict[str, str]:
        host, port = ("localhost", "80")
        if not self._is_unix:
            host, number = self._listener.getsockname()[:2]
            port = str(number)
        return {
            "GATEWAY_INTERFACE": "CGI/1.1",
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": port,
            "SERVER_SOFTWARE": "prefork",
        }
