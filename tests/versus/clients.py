"""Clients that never stop asking, and keep account."""

import threading
import time

from versus.contestant import Contestant


class Clients:
    """Each asks anew once it has its answer, for as long as the block lasts."""

    def __init__(self, server: Contestant, *, number: int = 4) -> None:
        self._server = server
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(number)]
        self.answered = 0
        self.failed = 0
        self.longest = 0.0  # seconds that one has waited for an answer

    def __enter__(self) -> "Clients":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._is_over.wait(0.01):
            began = time.monotonic()
            answer = self._server.get("/sleep?0.01")
            if answer is not None and answer.status == 200:
                self.answered += 1
                self.longest = max(self.longest, time.monotonic() - began)
            else:
                self.failed += 1

    def __str__(self) -> str:
        asked = self.answered + self.failed
        return f"{self.failed} of {asked} requests failed, longest {self.longest:.2f} s"
