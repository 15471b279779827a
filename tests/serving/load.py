"""Clients that never stop asking, while something happens to the server."""

import http.client
import random
import select
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from serving.browser import Browser
from serving.server import Server

LATE = 0.4  # seconds of silence; a worker that leaves waits for half a second


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that did not get the answer it should have."""

    moment: float  # monotonic seconds
    stage: str  # "connect": it never reached a server; "request": it did
    path: str
    reason: str


class Load:
    """Closed loop: each client asks for the next path once it has its answer.

    Every other client keeps its connection (with `keep_alive`), as a pool would: one
    that the server has closed while it was idle is replaced, which is no failure.
    Nor is it one if a client was silent for so long that it may have been closed in
    the moment of being used: which happens where this process is kept waiting.

        with Load(server, clients=4) as load:
            server.signal(SIGHUP)
            ...
        assert load.failures == []
    """

    def __init__(
        self,
        server: Server | Browser,
        *,
        clients: int = 4,
        paths: Sequence[str] = ("/",),
        keep_alive: bool = True,
        pause: float = 0.0,  # seconds between an answer and the next request
        seed: int = 0,
    ) -> None:
        self._port = server.port
        self._paths = paths
        self._keep_alive = keep_alive
        self._pause = pause
        self._is_over = threading.Event()
        self._threads = [
            threading.Thread(target=self._ask, args=(n, random.Random(seed + n)))
            for n in range(clients)
        ]
        self.bodies: dict[str, set[bytes]] = {path: set() for path in paths}
        self.failures: list[Failure] = []
        self.answered = 0
        self._longest = [0.0] * clients  # one writer each

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ask no more; wait for the answers that are due."""
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    @property
    def longest(self) -> float:
        """Seconds that the slowest of the answers took, connecting included."""
        return max(self._longest)

    @property
    def cut(self) -> list[Failure]:
        """Those that a server had accepted, and did not answer."""
        return [failure for failure in self.failures if failure.stage == "request"]

    def _ask(self, number: int, chance: random.Random) -> None:
        keeps = self._keep_alive and number % 2 == 1
        connection = _Connection(self._port, keeps=keeps)
        while not self._is_over.is_set():
            path = chance.choice(self._paths)
            began = time.monotonic()
            try:
                status, body = connection.get(path)
            except (OSError, http.client.HTTPException) as error:
                if not (isinstance(error, ConnectionError) and connection.was_late):
                    self._fail(connection.stage, path, repr(error))
                connection.close()
                time.sleep(0.01)
            else:
                took = time.monotonic() - began
                self._longest[number] = max(self._longest[number], took)
                self.bodies[path].add(body)
                self.answered += 1
                if status != 200:
                    self._fail("request", path, f"status {status}")
            self._is_over.wait(self._pause)
        connection.close()

    def _fail(self, stage: str, path: str, reason: str) -> None:
        self.failures.append(Failure(time.monotonic(), stage, path, reason))


class _Connection:
    """One client's connection; `stage` tells how far its last request came."""

    def __init__(self, port: int, *, keeps: bool) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Connection": "keep-alive" if keeps else "close"}
        self.stage = "connect"
        self.was_late = False  # with its last request
        self._heard_at = 0.0  # monotonic: then it has connected, or was answered

    def get(self, path: str) -> tuple[int, bytes]:
        connection = self._connection
        self.was_late = False
        if connection.sock is not None and _was_closed(connection):
            connection.close()
        if connection.sock is None:
            self.stage = "connect"
            self._heard_at = time.monotonic()
            connection.connect()
        self.stage = "request"
        try:
            connection.request("GET", path, headers=self._headers)
        finally:
            self.was_late = time.monotonic() - self._heard_at > LATE
        response = connection.getresponse()
        status, body = response.status, response.read()
        self._heard_at = time.monotonic()
        return status, body

    def close(self) -> None:
        self._connection.close()


def _was_closed(connection: http.client.HTTPConnection) -> bool:
    """Nothing is due on an idle connection, so what is there to read is its end."""
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
