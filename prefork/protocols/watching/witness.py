"""One connection, seen by somebody who understands both sides and says nothing.

    asked    the bytes from the client  ─► events
    answered the bytes from the server  ─► events

What one side says may be needed to understand the other, so both have one Script.
"""

from typing import Protocol

from prefork.protocols.watching.events import Broken, Event, Say
from prefork.protocols.watching.reader import Reader, Steps


class Script(Protocol):
    """How the two sides of a protocol are read."""

    say: Say

    def read_requests(self) -> Steps:
        """Everything that a client says on one connection."""

    def read_answers(self) -> Steps:
        """Everything that a server says on it."""


class Witness:
    """Both sides of one connection."""

    def __init__(self, script: Script) -> None:
        self._events: list[Event] = []
        script.say = self._events.append
        self._client = Reader(script.read_requests(), self._fail)
        self._server = Reader(script.read_answers(), self._fail)

    def asked(self, data: bytes) -> list[Event]:
        """Take what the client has sent; b"": it will send no more."""
        return self._hear(self._client, data)

    def answered(self, data: bytes) -> list[Event]:
        """Take what the server has sent; b"": it will send no more."""
        return self._hear(self._server, data)

    def _hear(self, reader: Reader, data: bytes) -> list[Event]:
        if data:
            reader.feed(data)
        else:
            reader.end()
        events = self._events.copy()
        self._events.clear()
        return events

    def _fail(self, reason: str) -> None:
        self._events.append(Broken(reason))
