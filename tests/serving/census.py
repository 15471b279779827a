"""Counting the workers of a server, again and again."""

import threading

from serving.server import Server


class Census:
    """Counts from a thread for as long as its block lasts."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._count)
        self.counts: list[int] = []

    def __enter__(self) -> "Census":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._is_over.wait(0.02):
            # Twice, because to look takes some milliseconds: a worker that left
            # during the first look was replaced by one that came after its start.
            seen = {*self._server.workers()} | {*self._server.workers()}
            self.counts.append(len(seen))
