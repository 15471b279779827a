"""One connection, seen by somebody who understands both sides and says nothing.

    hear(CLIENT, bytes) ─► events
    hear(SERVER, bytes) ─► events

What one side says may be needed to understand the other, so both have one Script.
"""

from typing import Protocol

from prefork.protocols.watching.events import Broken, Event, Say, Side
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
        self._readers = {
            Side.CLIENT: Reader(script.read_requests(), self._fail),
            Side.SERVER: Reader(script.read_answers(), self._fail),
        }

    def hear(self, side: Side, data: bytes) -> list[Event]:
        """Take what a side has said; b"": it will say no more."""
        if data:
            self._readers[side].feed(data)
        else:
            self._readers[side].end()
        events = self._events.copy()
        self._events.clear()
        return events

    def _fail(self, reason: str) -> None:
        self._events.append(Broken(reason))
