"""The lobby: accepted connections with nothing for the application to do.

Silent ones, heads still arriving, idle keep-alive connections, answers that
drain to slow readers: each costs a descriptor here, never the worker.  One epoll
holds them together with the doors, the signals and the master's channel.
"""

import os
import select
import time
from collections import deque
from collections.abc import Callable, Sequence
from select import epoll  # now: gevent.monkey takes it out of its module

from prefork.errors import ClientGone, ProtocolError, RequestAborted
from prefork.worker.client import READ_SIZE, Client, ClientState
from prefork.worker.delivery import Delivery
from prefork.worker.doors import Door
from prefork.worker.entrance import Entrance
from prefork.worker.guests import Guests
from prefork.worker.limits import ClientDeadlines

IDLE_TICK = 0.5  # seconds between two looks at the doors without being woken
DRAIN_TICK = 0.01  # the same while we wait for the last of them
SWEEP_EVERY = 0.25  # seconds between two looks for overdue clients
LAST_SWEEP = 1.0  # seconds before we have to be gone
EVENTS_A_TURN = 64
NAP = 20e-6  # seconds; an epoll_wait(2) that took longer has slept
LAST_WORD_IDLE = 0.5  # seconds that kept-alive clients have left when we retire
LAST_WORD_FRESH = 1.0  # the same for those who have not said a word yet


class Lobby:
    """Everything that a worker waits for.

    `refuse(client, error)` answers a request that is refused here;
    `notice(event, **fields)` writes to the log.
    """

    def __init__(
        self,
        doors: Sequence[Door],
        bell: int,
        *,
        size: int,
        body_buffer: int,
        deadlines: ClientDeadlines,
        refuse: Callable[[Client, ProtocolError], None],
        notice: Callable[..., None],
    ) -> None:
        self._epoll = epoll()
        self._entrance = Entrance(
            self._epoll,
            doors,
            bell,
            welcome=self._welcome,
            make_room=self._send_one_away,
            notice=notice,
        )
        self._most = size
        self._body_buffer = body_buffer
        self._deadlines = deadlines
        self._refuse = refuse
        self._notice = notice
        self._guests = Guests(self._epoll)
        self._delivery = Delivery(self._guests, write_timeout=deadlines.write)
        self._ready: deque[Client] = deque()
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._sweep_at = 0.0
        self._idle_last_word = LAST_WORD_IDLE
        self._over_at = float("inf")

    def watch(self, fd: int, callback: Callable[[], None]) -> None:
        """Call `callback` when `fd` is readable; next() then returns None."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def unwatch(self, fd: int) -> None:
        del self._callbacks[fd]
        self._epoll.unregister(fd)

    def next(self) -> Client | None:
        """Wait; a client with a request, or None when something else happened."""
        if not self._ready:
            self._wait()
        return self._ready.popleft() if self._ready else None

    def open_doors(self) -> None:
        """Accept connections from now on."""
        self._entrance.open()

    def close_doors(self, *, drain: bool, last_word: float = LAST_WORD_IDLE) -> None:
        """Accept no more (Entrance.close), and ask those inside to come to an end.

        A client whose connection was kept alive may be about to use it: it has
        `last_word` seconds to do so, and is answered with "Connection: close".
        Nobody stays until the master kills us for it.
        """
        self._idle_last_word = last_word
        self._entrance.close(drain=drain)
        now = time.monotonic()
        retirement = self._deadlines.retirement
        self._over_at = now + max(retirement - LAST_SWEEP, retirement / 2)
        for client in self._guests.values():
            if client.state is ClientState.QUIET:
                client.deadline = min(client.deadline, now + self._last_word(client))

    def movable(self) -> list[Client]:
        """Those whom a sibling could serve as well."""
        return [c for c in (*self._ready, *self._guests.values()) if c.can_move]

    def release(self, client: Client) -> None:
        """See off one who goes to a sibling, with a copy of the descriptor."""
        if client in self._ready:
            self._ready.remove(client)
        self._guests.release(client)

    def take_in(self, client: Client, raw: bytes) -> None:
        """Go on with one who was at a sibling's; `raw`: what it has sent there."""
        if len(self._guests) >= self._most:
            self._send_one_away()
        client.is_fresh = False
        patience = self._last_word(client)
        if not self._entrance.is_closed:  # it may not have said a word there
            patience = max(patience, self._deadlines.header)
        client.deadline = time.monotonic() + patience
        if raw:
            self._receive(client, raw)
        else:
            self._guests.keep(client, select.EPOLLIN)

    def is_empty(self) -> bool:
        return not self._guests and not self._ready and self._entrance.is_drained

    @property
    def size(self) -> int:
        """How many are here."""
        return len(self._guests) + len(self._ready)

    def count(self) -> tuple[int, int]:
        """How many are here, and how many of them still take their answer."""
        return self._guests.count()

    def descriptors(self) -> list[int]:
        """Everything that is open here: our own, the doors, the clients."""
        ready = [client.fd for client in self._ready]
        ours = [self._epoll.fileno(), *self._callbacks, *self._entrance.descriptors()]
        return [*ours, *self._guests, *ready]

    def close(self) -> None:
        """Close the epoll, once everyone has left."""
        self._epoll.close()

    def _wait(self) -> None:
        """One turn: hear the clients first, then open one door."""
        guests, doors = self._guests, []
        before = time.monotonic()
        events = self._epoll.poll(self._patience(), EVENTS_A_TURN)
        now = time.monotonic()
        for fd, _ in events:
            if (client := guests.get(fd)) is not None:
                self._hear(client)
            elif (callback := self._callbacks.get(fd)) is not None:
                callback()
            else:
                doors.append(fd)
        if doors:
            door = doors[0] if len(doors) == 1 else self._entrance.choose(doors)
            self._entrance.answer(door, is_busy=bool(self._ready))
            # If we slept, this door woke us, and we are still first in its queue (see
            # entrance.py).  And if its client has not asked anything yet we are idle,
            # so that the next one would be ours as well.
            if now - before > NAP or not self._ready:
                stays = not self._ready or self._ready[-1].wants_to_stay
                self._entrance.make_way(door, stays=stays)
        else:
            self._entrance.hear_nobody()
            self._look_outside(is_quiet=not events)
        if now >= self._sweep_at:
            self._sweep(now)

    def _look_outside(self, *, is_quiet: bool) -> None:
        """Try the doors though none has woken us: to drain them at the end, and
        otherwise after each wait in which nothing happened."""
        if self._entrance.is_closed:
            self._entrance.drain_one()
        elif self._entrance.is_open and is_quiet:
            self._entrance.try_one()

    def _patience(self) -> float:
        if self._entrance.is_closed and not self._entrance.is_drained:
            return 0.0 if self._entrance.has_more else DRAIN_TICK
        return SWEEP_EVERY if self._guests else IDLE_TICK

    # Coming in

    def _welcome(self, fd: int, door: Door, remote: dict[str, str]) -> None:
        try:
            conversation = door.language.converse(remote)
        except ProtocolError as error:
            os.close(fd)
            self._notice("closed connection", reason=error.reason)
        else:
            self.admit(Client(fd, door, conversation))

    def admit(self, client: Client) -> None:
        """Take in a new connection; its request has usually come with it."""
        if len(self._guests) >= self._most:
            self._send_one_away()
        self._read(client)

    def _last_word(self, client: Client) -> float:
        """Seconds that a silent client may stay silent."""
        if self._entrance.is_closed:
            return LAST_WORD_FRESH if client.is_fresh else self._idle_last_word
        if client.is_fresh:
            return self._deadlines.header
        return self._deadlines.for_idle(is_front_end=client.conversation.is_front_end)

    # Being heard

    def _hear(self, client: Client) -> None:
        """A client can be read from, or written to."""
        if client.state is ClientState.DRAINING:
            self.put_back(client, keep=client.keep)
        elif client.state is ClientState.LINGERING:
            self._delivery.read_on(client)
        else:
            self._read(client)

    def _read(self, client: Client) -> None:
        try:
            data = os.read(client.fd, READ_SIZE)
        except BlockingIOError:
            if not client.events:  # it is new here, and silent
                client.deadline = time.monotonic() + self._last_word(client)
                self._guests.keep(client, select.EPOLLIN)
        except OSError:
            self._guests.dismiss(client)
        else:
            if data:
                self._receive(client, data)
            else:
                self._hear_the_end(client)

    def _receive(self, client: Client, data: bytes) -> None:
        before = client.state
        try:
            is_request = client.receive(data, body_buffer=self._body_buffer)
        except ProtocolError as error:
            self._turn_away(client, error)
        except RequestAborted as gone:
            self._refuse(client, ProtocolError(gone.reason))
            self.put_back(client, keep=client.wants_to_stay)
        except ClientGone:
            self._guests.dismiss(client)
        else:
            if is_request:
                self._guests.pop(client.fd, None)
                self._ready.append(client)
            else:
                self._set_deadline(client, before)
                self._guests.keep(client, select.EPOLLIN)

    def _set_deadline(self, client: Client, before: ClientState) -> None:
        """A head has one deadline for all of it; a body moves its own."""
        now = time.monotonic()
        if client.state is ClientState.BODY:
            client.since = client.since or now
            client.deadline = self._deadlines.for_body(
                since=client.since, received=client.size, now=now
            )
        elif client.state is ClientState.HEAD and before is not ClientState.HEAD:
            client.deadline = now + self._deadlines.header
        elif client.state is ClientState.QUIET:  # it has not begun a request
            client.deadline = max(client.deadline, now + self._last_word(client))

    def _hear_the_end(self, client: Client) -> None:
        if client.state in (ClientState.HEAD, ClientState.BODY):
            reason = f"the client left in mid-{client.part}"
            self._refuse(client, ProtocolError(reason))
        self._guests.dismiss(client)

    # After the answer

    def put_back(self, client: Client, *, keep: bool) -> None:
        """A client that was answered: deliver the answer, then keep or close it."""
        client.keep = keep
        if self._delivery.advance(client):
            rest = client.next_request()
            client.deadline = time.monotonic() + self._last_word(client)
            if rest:
                self._receive(client, rest)
            else:
                self._guests.keep(client, select.EPOLLIN)

    def _turn_away(self, client: Client, error: ProtocolError) -> None:
        """Answer a request that cannot be served; then the connection is over."""
        self._refuse(client, error)
        client.request = None
        self.put_back(client, keep=False)

    # Leaving late

    def _sweep(self, now: float) -> None:
        """Send the overdue away, who have been heard before that."""
        self._sweep_at = now + SWEEP_EVERY
        self._entrance.resume_if_due(now)
        if now >= self._over_at:
            for client in list(self._guests.values()):
                self._send_away(client, "the worker has to leave")
        self._hear_overdue(now)
        for client in self._guests.overdue(now):
            if client.state in (ClientState.HEAD, ClientState.BODY):
                reason = f"the {client.part} arrived too slowly"
                self._turn_away(client, ProtocolError(reason, status=408))
            else:
                self._send_away(client, "the client does not take it")

    def _hear_overdue(self, now: float) -> None:
        """Nobody is overdue whose bytes arrived while we served somebody else.

        This turn may not have heard them all: it has only so many events, and this
        process may have been kept waiting since.  And of each it has heard one piece
        only; here they are as many as a body has that we keep.
        """
        for _ in range(1 + self._body_buffer // READ_SIZE):
            overdue = {client.fd: client for client in self._guests.overdue(now)}
            most = len(self._guests) + EVENTS_A_TURN
            events = self._epoll.poll(0, most) if overdue else []
            heard = [overdue[fd] for fd, _ in events if fd in overdue]
            if not heard:
                break
            for client in heard:
                self._hear(client)

    def _send_one_away(self) -> bool:
        """Make room; False if there is nobody."""
        client = self._guests.with_least_to_lose()
        if client is not None:
            self._send_away(client, "the lobby is full")
        return client is not None

    def _send_away(self, client: Client, reason: str) -> None:
        """See a client off: half a request is answered, a cut answer is noted."""
        if client.state in (ClientState.HEAD, ClientState.BODY):
            self._refuse(client, ProtocolError(reason, status=503))
        elif client.state is ClientState.DRAINING:
            peer = client.conversation.remote.get("REMOTE_ADDR", "")
            self._notice("cut answer", client=peer, reason=reason)
        self._guests.dismiss(client)
