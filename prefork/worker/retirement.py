"""Retirement: how a worker comes to its end, and what becomes of its clients.

Those who are silent go to a sibling that serves on behind the same door; so nobody
sees a connection close in the moment of using it, and nobody waits.  Where there is
no such sibling they have a last word, and then are closed.
"""

import time
from collections.abc import Sequence

from prefork.system.channel import Message
from prefork.worker.client import Client
from prefork.worker.lobby import Lobby
from prefork.worker.relief import Relief

LAST_WORD = 0.5  # seconds for kept-alive clients who may be about to ask again
UNHURRIED = 2.0  # the same while others serve on: nobody waits for us to leave
NO_PAUSE = 10.0  # seconds for front ends to leave a pause between two requests


class Retirement:
    """Not begun yet, or going on until nobody is left."""

    def __init__(self, lobby: Lobby, relief: Relief) -> None:
        self._lobby = lobby
        self._relief = relief
        self._heirs: frozenset[str] = frozenset()  # doors where siblings serve on
        self._serve_until = 0.0  # front ends that do not pause
        self.is_going_on = False

    @property
    def is_over(self) -> bool:
        if not self.is_going_on:
            return False
        return self._lobby.is_empty() and self._relief.is_settled

    def obey(self, message: Message) -> None:
        """Retire, as the master has ordered."""
        drain = message.fields["drain"]
        last_word = LAST_WORD if drain else UNHURRIED
        self.begin(drain=drain, last_word=last_word, heirs=message.fields["heirs"])

    def begin(
        self, *, drain: bool, last_word: float = LAST_WORD, heirs: Sequence[str] = ()
    ) -> None:
        """Close the doors, `drain`: when everyone outside has been taken in.

        Said again at a stop, and when the master is gone: then there are no heirs.
        """
        self._heirs = frozenset(heirs)
        if not self.is_going_on or drain:
            self.is_going_on = True
            self._serve_until = 0.0 if drain else time.monotonic() + NO_PAUSE
            self._lobby.close_doors(drain=drain, last_word=last_word)

    def may_keep(self, client: Client) -> bool:
        """Whether another request is welcome on this connection: here, or there.

        A client that is told beforehand which answer is the last asks elsewhere.
        FastCGI has no way to say so, and its clients lose a request that they send
        on a connection that is being closed behind an answer: seen with Apache and
        HAProxy.  So front ends are served until they pause, while that is possible.
        """
        if not self.is_going_on or client.door.name in self._heirs:
            return True
        return client.conversation.is_front_end and time.monotonic() < self._serve_until

    def advance(self) -> None:
        """Give away whom we can; the others are waited for."""
        if self._heirs:
            self._relief.give_silent(self._heirs)

    def take_in(self, message: Message) -> None:
        """Take in clients of another worker.

        If we are retiring, the master sends them only because no sibling is left; so
        nobody could take them from us either.
        """
        if self.is_going_on:
            self._heirs = frozenset()
        self._relief.take_in(message)
