"""Relief: clients leave a worker whose request takes long, or who retires.

A connection is bound to the worker that has accepted it.  When that one is busy for
long, what the client asks next would wait, beside idle siblings.  So the master,
which sees it on the scoreboard, sends RELIEVE; the handler runs in the middle of the
application, and gives the connections to the master, which passes them on.  A worker
that retires needs no signal for the same.
"""

import os
from collections.abc import Container, Sequence
from types import FrameType

from prefork.errors import ProtocolError
from prefork.monitor.scoreboard import WorkerSlot
from prefork.system.channel import Channel, Message
from prefork.worker.client import Client, ClientState
from prefork.worker.doors import Door
from prefork.worker.lobby import Lobby
from prefork.worker.service import Service

# How many clients go into one message to the master.  What a client has sent goes
# with it: 4 KiB at most, and in JSON up to six times that.
A_MESSAGE = 4
A_MESSAGE_OF_SILENT = 32
# Messages without an answer.  A channel holds some 280 answers; one that found no room
# would be waited for until the end.
MOST_UNDER_WAY = 250


class Relief:
    """Gives away clients, and takes in those of others."""

    def __init__(
        self,
        lobby: Lobby,
        service: Service,
        channel: Channel,
        slot: WorkerSlot,
        doors: Sequence[Door],
    ) -> None:
        self._lobby = lobby
        self._service = service
        self._channel = channel
        self._slot = slot
        self._doors = {door.name: door for door in doors}
        self._is_wanted = False
        self._is_going_on = False
        self._under_way = 0  # messages with clients who have no home yet

    @property
    def is_settled(self) -> bool:
        """Have all whom we gave away a home?  Till then they may come back."""
        return not self._under_way or self._channel.is_closed

    def hand_over(self, number: int, frame: FrameType | None) -> None:
        """Handle RELIEVE.

        It may come again in the middle of this.  Who is on the way to the master must
        not be sent a second time: so then there is another round, and none inside.
        """
        self._is_wanted = True
        while self._is_wanted and not self._is_going_on:
            self._is_going_on = True
            self._is_wanted = False
            try:
                self._hand_over()
            finally:
                self._is_going_on = False

    def _hand_over(self) -> None:
        """Give away all whom a sibling could serve, if we are serving.

        The lobby can be touched then: this runs in the main thread, between two steps
        of the application, and so not in the middle of one of the lobby's own.
        """
        if not self._service.is_serving or self._channel.is_closed:
            return
        for message in self._channel.pick("take in"):
            self.take_in(message)  # they came when we were idle, and now are not
        self._give_all(self._lobby.movable(), A_MESSAGE)
        self._slot.report(*self._lobby.count())

    def give_silent(self, doors: Container[str]) -> None:
        """Give away those of `doors` who are silent."""
        silent = [c for c in self._lobby.movable() if c.state is ClientState.QUIET]
        there = [client for client in silent if client.door.name in doors]
        self._give_all(there, A_MESSAGE_OF_SILENT)

    def _give_all(self, clients: Sequence[Client], at_once: int) -> None:
        for start in range(0, len(clients), at_once):
            share = clients[start : start + at_once]
            if self._under_way >= MOST_UNDER_WAY or not self._give(share):
                break  # the master has no time for them

    def _give(self, clients: Sequence[Client]) -> bool:
        is_given = self._channel.send(
            "pass on",
            descriptors=[client.fd for client in clients],
            clients=[_describe(client) for client in clients],
        )
        self._under_way += is_given
        for client in clients if is_given else ():
            self._lobby.release(client)
        return is_given

    def obey_passed_on(self, message: Message) -> None:
        """Those of our oldest message have been given to others."""
        # The application may have written to the channel: it was nobody of ours then.
        self._under_way = max(0, self._under_way - 1)

    def take_in(self, message: Message) -> None:
        """Go on with clients of another worker."""
        # If our descriptors run out, fewer arrive than there are clients.
        rows = zip(message.descriptors, message.fields["clients"], strict=False)
        for fd, (name, remote, raw) in rows:
            door = self._doors[name]
            try:
                conversation = door.resume(remote)
            except ProtocolError:  # a reload may have changed who is heard
                os.close(fd)
            else:
                client = Client(fd, door, conversation)
                self._lobby.take_in(client, raw.encode("latin-1"))


def _describe(client: Client) -> tuple[str, dict[str, str], str]:
    """Its door, who it is, and what it has sent that nobody has begun to serve."""
    raw = client.raw if client.request is not None else b""
    return client.door.name, client.conversation.remote, raw.decode("latin-1")
