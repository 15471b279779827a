"""The templates: of the generation that serves, its successor, its predecessor.

A dead template is no outage: workers go on, and another one is started, with
back-off.  What its death means for a reload, or a start, is the master's to say.
"""

import os
import random
import signal
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from prefork.master.generation import Generation, Stage
from prefork.master.reactor import Reactor
from prefork.master.roster import ABORT_GRACE, FOREVER
from prefork.monitor.log import Log
from prefork.settings import Settings
from prefork.settings.gateways import GATEWAYS
from prefork.system.channel import Channel, Message
from prefork.system.listen import Listener


class Templates:
    """All generations that have, or should have, a template process.

    `descriptors(settings)` gives what templates inherit: those that all share,
    and the access log's or None; `explain(code)` tells how one has ended, and
    `release(pid)` that a worker has become one.
    `on_loaded(generation)` and `on_failed(generation, reason)` tell the master.
    """

    def __init__(
        self,
        reactor: Reactor,
        log: Log,
        *,
        descriptors: Callable[[Settings], tuple[Sequence[int], int | None]],
        explain: Callable[[int], str],
        release: Callable[[int], None],
        on_loaded: Callable[[Generation], None],
        on_failed: Callable[[Generation, str], None],
    ) -> None:
        self._reactor = reactor
        self._log = log
        self._descriptors = descriptors
        self._explain = explain
        self._release = release
        self._on_loaded = on_loaded
        self._on_failed = on_failed
        self._newest = 0
        self.generations: dict[int, Generation] = {}

    def create(self, settings: Settings, listeners: Sequence[Listener]) -> Generation:
        """The next generation; its template is started by reconcile()."""
        self._newest += 1
        generation = Generation(self._newest, settings, listeners, chance=random.random)
        self.generations[generation.number] = generation
        return generation

    def reconcile(self, needed: Collection[Generation], now: float) -> None:
        """Start the templates that are needed, dismiss all others."""
        for generation in list(self.generations.values()):
            if generation not in needed:
                self._dismiss(generation)
                continue
            generation.backoff.forget(now)
            if generation.stage is Stage.NONE and generation.backoff.may_try(now):
                self._start(generation, now)

    def _dismiss(self, generation: Generation) -> None:
        if generation.stage is Stage.PROMISED:
            self._forget(generation)  # the worker will find nobody at the other end
        generation.dismiss()
        if not generation.pid:
            del self.generations[generation.number]

    def check_deadlines(self, now: float) -> None:
        """An import that does not end: dump its stacks, then kill it."""
        for generation in self.generations.values():
            if generation.deadline > now:
                continue
            if generation.stage is Stage.PROMISED:
                self._break_promise(generation, "the worker took too long to retire")
                continue
            if generation.stage is Stage.LOADING:
                seconds = generation.settings.boot_timeout
                generation.abort(f"the import was not over in {seconds:g} s")
            elif generation.pid:
                os.kill(generation.pid, signal.SIGKILL)
            generation.deadline = now + ABORT_GRACE

    def next_deadline(self, now: float) -> float:
        moments = [FOREVER]
        for generation in self.generations.values():
            moments.append(generation.deadline)
            if generation.backoff.not_before > now:
                moments.append(generation.backoff.not_before)
        return min(moments)

    def are_gone(self) -> bool:
        return not any(generation.pid for generation in self.generations.values())

    def send(self, generation: Generation, kind: str, **content: object) -> None:
        if generation.channel is not None:
            generation.channel.send(kind, **content)  # type: ignore[arg-type]

    def _start(self, generation: Generation, now: float) -> None:
        shared, access = self._descriptors(generation.settings)
        try:
            generation.start_template(shared=shared, access=access, now=now)
        except OSError as error:
            self.try_later(generation, "cannot start template", error.strerror or "")
            return
        assert generation.channel is not None
        name = {"pid": generation.pid, "generation": generation.number}
        self._log.debug("started template", **name)
        self._listen_to(generation, generation.channel)

    def promise(self, generation: Generation, now: float) -> Channel:
        """Have a worker become its template; returns the end of the channel for it.

        Raises OSError when no descriptors are left.
        """
        theirs = generation.promise(now)
        assert generation.channel is not None
        self._listen_to(generation, generation.channel)
        return theirs

    def _listen_to(self, generation: Generation, channel: Channel) -> None:
        self._reactor.watch(channel.fileno(), lambda: self._hear(generation))

    def try_later(self, generation: Generation, event: str, reason: str) -> None:
        """What a generation needed could not be done: again after its back-off."""
        delay = generation.backoff.failed(time.monotonic())
        self._log.error(
            event,
            generation=generation.number,
            retry_in=round(delay, 2),
            text=reason,
        )

    def _hear(self, generation: Generation) -> None:
        for message in generation.hear():
            self._obey(generation, message)
        if generation.channel and generation.channel.is_closed:
            self._reactor.unwatch(generation.channel.fileno())
            if generation.stage is Stage.PROMISED:
                self._break_promise(generation, "the worker left instead")

    def _break_promise(self, generation: Generation, reason: str) -> None:
        """There is no process to be reaped, or only a worker's."""
        reason = generation.failure or reason
        self._forget(generation)
        self._on_failed(generation, reason)

    def _obey(self, generation: Generation, message: Message) -> None:
        match message.kind, message.fields:
            case "loaded", {"sources": list(sources)}:
                generation.sources = sources
                if generation.stage is Stage.PROMISED:
                    self._release(message.sender)
                    generation.keep_promise(message.sender)
                if generation.stage is Stage.LOADING:
                    generation.stage = Stage.READY
                    generation.deadline = FOREVER
                    self._on_loaded(generation)
            case "failed", {
                "sources": list(sources),
                "text": str(text),
                "status": int(status),
            }:
                generation.sources = sources
                generation.failure = text
                generation.failure_status = status
            case "unsafe", {"hazards": list(hazards), "forced": bool(forced)}:
                self._consider(generation, hazards, forced=forced)

    def _consider(
        self, generation: Generation, hazards: Sequence[str], *, forced: bool
    ) -> None:
        """The import has left behind what does not survive a fork."""
        decision = "preload, as told" if forced else "each worker imports by itself"
        self._log.warning(
            "unsafe preload", left_behind=", ".join(hazards), decision=decision
        )
        if not forced:
            generation.preload = False
            generation.stage = Stage.DISMISSED  # it leaves; reconcile() starts anew

    def exited(self, pid: int, code: int) -> bool:
        """One of our children was reaped; False if it was no template."""
        mine = (g for g in self.generations.values() if g.pid == pid)
        generation = next(mine, None)
        if generation is None:
            return False
        self._hear(generation)
        was, failure = generation.stage, generation.failure
        self._forget(generation)
        if failure or was is not Stage.DISMISSED:
            loading = GATEWAYS[generation.settings.gateway].loading
            when = loading if was is Stage.LOADING else "running"
            failure = failure or f"template died while {when}: {self._explain(code)}"
            self._on_failed(generation, failure)
        return True

    def _forget(self, generation: Generation) -> None:
        if generation.channel is not None:
            self._reactor.unwatch(generation.channel.fileno())
        generation.forget_template()

    # Being handed over to another program

    def state(self) -> dict[str, Any]:
        generations = [each.state() for each in self.generations.values()]
        return {"newest": self._newest, "generations": generations}

    def restore(self, state: dict[str, Any], listeners: Iterable[Listener]) -> None:
        """Have these generations, and no others."""
        by_descriptor = {each.socket.fileno(): each for each in listeners}
        self._newest = state["newest"]
        self.generations.clear()
        for each in state["generations"]:
            generation = Generation.restore(each, by_descriptor, chance=random.random)
            self.generations[generation.number] = generation
            if generation.channel is not None:
                self._listen_to(generation, generation.channel)
