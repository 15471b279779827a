"""CANARY: one request to the first worker of a new generation, before the rest.

It goes over a socketpair of our own: no listener, no client, no queue.
"""

import socket
import time
from collections.abc import Callable

from prefork.master.reactor import Reactor

TIMEOUT = 5.0  # seconds
LONGEST_HEAD = 65536  # bytes
LAST_NEWS = 1.0  # seconds in which a worker that hung up may turn out to have died


class Canary:
    """Sends GET `path`; `done("")` if the status is below 500, else the reason.

    When the worker dies of the request, the master hears why by its exit, and closes
    the canary: `done` is not called then.
    """

    def __init__(
        self, path: str, reactor: Reactor, done: Callable[[str], None]
    ) -> None:
        self._path = path
        self._reactor = reactor
        self._done = done
        self._answer = b""
        self._has_hung_up = False
        self.deadline = time.monotonic() + TIMEOUT
        self._socket, self.for_worker = socket.socketpair()
        self._socket.setblocking(False)
        request = (
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: prefork-canary\r\n"
            "Connection: close\r\n\r\n"
        )
        self._socket.send(request.encode("latin-1"))
        reactor.watch(self._socket.fileno(), self._read)

    def _read(self) -> None:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return
        except ConnectionError:
            data = b""
        self._answer += data
        line, end, _ = self._answer.partition(b"\r\n")
        if end:
            status = line.split(b" ")[1:2]
            is_well = bool(status) and status[0].isdigit() and int(status[0]) < 500
            self._finish(
                "" if is_well else f"{self._path} answered {line.decode('latin-1')}"
            )
        elif len(self._answer) > LONGEST_HEAD:
            self._finish(f"{self._path} was not answered")
        elif not data:
            self._has_hung_up = True
            self._reactor.unwatch(self._socket.fileno())
            self.deadline = time.monotonic() + LAST_NEWS

    def check_deadline(self, now: float) -> None:
        if now >= self.deadline:
            within = "" if self._has_hung_up else f" in {TIMEOUT:g} s"
            self._finish(f"{self._path} was not answered{within}")

    def _finish(self, reason: str) -> None:
        self.close()
        self._done(reason)

    def close(self) -> None:
        self._reactor.unwatch(self._socket.fileno())
        self._socket.close()
        self.for_worker.close()
