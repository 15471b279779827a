"""The worker's loop: wait in the lobby, serve one client, repeat.

while not retired:
    client = lobby.next()        # the only place that waits
    serve(client)                # exactly one request
"""

import os
import signal
import time
from collections.abc import Callable

from prefork.monitor.log import Log
from prefork.monitor.scoreboard import WorkerSlot
from prefork.system.channel import Channel, Message
from prefork.system.memory import read_rss
from prefork.system.signals import SignalPipe
from prefork.worker.limits import Lifespan
from prefork.worker.lobby import Lobby
from prefork.worker.promotion import FindHazards, Promotion
from prefork.worker.retirement import Retirement
from prefork.worker.service import Service

LOOK_AT_MEMORY_EVERY = 1.0  # seconds: it costs 20 µs, so not after each request
ANNOUNCED_KILL = 1.0  # seconds to wait for a kill that the master has announced
SHORTEST_GRACE = 0.5  # seconds: 0 would disarm the timer (setitimer(2))


class Worker:
    """Serves until it is told to retire, or the master is gone."""

    def __init__(
        self,
        *,
        lobby: Lobby,
        retirement: Retirement,
        service: Service,
        channel: Channel,
        signals: SignalPipe,
        slot: WorkerSlot,
        lifespan: Lifespan,
        grace: float,
        log: Log,
        find_hazards: FindHazards,
        on_message: dict[str, Callable[[Message], None]],
    ) -> None:
        """`grace`: seconds for the last request; `find_hazards(known)` names what a
        fork would not leave intact, but for the descriptors that are known."""
        self._lobby = lobby
        self._retirement = retirement
        self._service = service
        self._channel = channel
        self._signals = signals
        self._slot = slot
        self._lifespan = lifespan
        self._grace = max(grace, SHORTEST_GRACE)
        self._log = log
        self._find_hazards = find_hazards
        self._on_message = {
            **on_message,
            "open": self._obey_open,
            "retire": retirement.obey,
            "take in": retirement.take_in,
            "promote": self._obey_promote,
        }
        self._promotion: Promotion | None = None
        self._wants_replacement = False
        self._served = 0
        self._rss = 0
        self._look_at_memory_at = 0.0

    def run(self) -> Promotion | None:
        """Serve; returns when there is nothing left to do, but for a promotion."""
        lobby, retirement = self._lobby, self._retirement
        lobby.watch(self._channel.fileno(), self._hear_master)
        lobby.watch(self._signals.fileno(), self._hear_signals)
        self._channel.send("ready")
        is_limited = self._lifespan.is_limited
        while not (retirement.is_over and self._is_heard_out()):
            client = lobby.next()
            if client is not None:
                self._slot.keep_waiting(lobby.size)
                keep = self._service.serve(client, may_keep=retirement.may_keep(client))
                lobby.put_back(client, keep=keep)
                self._served += 1
                self._await_announced_kill()
                if self._channel.has_put_aside:
                    self._hear_master()
            else:
                self._slot.report(*lobby.count())
            if retirement.is_going_on:
                retirement.advance()
            if is_limited:
                self._check_lifespan()
        return self._promotion

    def _is_heard_out(self) -> bool:
        """Nobody is here any more: and can nobody be sent to us either?"""
        if not self._channel.is_closed:
            self._lobby.unwatch(self._channel.fileno())
            for message in self._channel.hear_out():
                self._on_message[message.kind](message)
        return self._retirement.is_over

    def _await_announced_kill(self) -> None:
        """If the master resolved to kill the request that has just ended, let it
        do so now: what it kills must not be the next one."""
        if self._slot.is_condemned():
            time.sleep(ANNOUNCED_KILL)

    def _check_lifespan(self) -> None:
        """Ask for a replacement when it is time, and serve on until it is here."""
        if self._wants_replacement:
            return
        now = time.monotonic()
        if self._lifespan.rss and now >= self._look_at_memory_at:
            self._look_at_memory_at = now + LOOK_AT_MEMORY_EVERY
            self._rss = read_rss()
        reason = self._lifespan.is_over(requests=self._served, rss=self._rss, now=now)
        if reason:
            self._wants_replacement = self._channel.send("replace", reason=reason)

    def _hear_master(self) -> None:
        for message in self._channel.receive():
            self._on_message[message.kind](message)
        if self._channel.is_closed:
            self._retire_as_orphan()

    def _obey_open(self, message: Message) -> None:
        """Accept connections: a canary is told so only when it has proved itself."""
        self._lobby.open_doors()

    def _obey_promote(self, message: Message) -> None:
        """Become a template, once somebody else serves in our place."""
        promotion = Promotion.read(message)
        known = [*self._lobby.descriptors(), promotion.channel.fileno()]
        if hazards := self._find_hazards(known):
            promotion.decline(hazards)
            return
        self._promotion = promotion
        self._wants_replacement = self._channel.send("replace", reason="refork")

    def _hear_signals(self) -> None:
        """TERM, QUIT and INT retire a worker, whoever sent them; the kernel sends
        TERM too when the master has died."""
        if set(self._signals.read_signals()) & {
            signal.SIGTERM,
            signal.SIGQUIT,
            signal.SIGINT,
        }:
            self._channel.send("leaving")
            self._retirement.begin(drain=False)

    def _retire_as_orphan(self) -> None:
        # The master kept our deadlines.  Now one alarm ends us, whatever is served.
        self._lobby.unwatch(self._channel.fileno())
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, self._grace)
        self._log.warning("lost master", pid=os.getpid())
        self._retirement.begin(drain=False)
