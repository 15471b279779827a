"""News: what follows when a template or a worker is ready, fails or exits."""

import time
from collections.abc import Callable

from prefork.errors import EXIT_REFUSED
from prefork.master.generation import Generation, Stage
from prefork.master.parts import Parts
from prefork.master.roster import Member
from prefork.master.sharing import share
from prefork.master.worker_exit import WorkerExit


class News:
    """Heard by the crew and the templates; told to whom they concern.

    `on_ready` is called once, when the first worker is ready.
    """

    def __init__(self, parts: Parts, *, on_ready: Callable[[], None]) -> None:
        self._parts = parts
        self._log = parts.logs.log
        self._on_ready = on_ready
        self.is_proven = False  # some worker has been ready

    def check_start(self, now: float) -> None:
        """A start that the system refuses, try by try, has the time of an import."""
        parts, target = self._parts, self._parts.staff.target
        if self.is_proven or parts.stop.is_going_on or not target.backoff.failures:
            return
        is_tried = target.stage is Stage.LOADING or parts.crew.roster.members
        seconds = target.settings.boot_timeout
        if now - parts.started_at >= seconds and not is_tried:
            reason = f"the system has let nothing start in {seconds:g} s (see above)"
            parts.stop.fail(reason, EXIT_REFUSED)

    def template_is_loaded(self, generation: Generation) -> None:
        self._log.debug("loaded application", generation=generation.number)
        self._parts.succession.template_is_loaded(generation)

    def template_failed(self, generation: Generation, reason: str) -> None:
        parts = self._parts
        if parts.stop.is_going_on:
            return
        if not self.is_proven:
            parts.stop.fail(reason, generation.failure_status)
        elif parts.succession.template_failed(generation, reason):
            pass  # and the reload with it
        elif generation is parts.staff.target:
            parts.templates.try_later(generation, "lost template", reason)

    def worker_is_ready(self, member: Member) -> None:
        parts = self._parts
        self._log.info("started worker", **member.name)
        if not self.is_proven:
            self.is_proven = True
            self._on_ready()
            if parts.staff.target.settings.daemon:
                share(parts, parts.logs.follow())
        if parts.stop.is_going_on:
            parts.stop.worker_is_ready(member)
        parts.succession.worker_is_ready(member)

    def worker_cannot_load(self, member: Member, text: str) -> None:
        """A worker that imports by itself could not."""
        if not self.is_proven:
            self._parts.stop.fail(text)
        elif not self._parts.succession.worker_cannot_load(member, text):
            self._log.error("cannot load application", **member.name, text=text)

    def worker_exited(self, worker_exit: WorkerExit) -> None:
        """A worker is no more: was it to be, and what follows?"""
        parts, member = self._parts, worker_exit.member
        generation = parts.templates.generations.get(member.generation)
        worker_exit.log(self._log)
        if generation is not None and worker_exit.is_proven:
            generation.backoff.succeeded(member.ordered_at)
        settings = (generation or parts.staff.target).settings
        parts.logs.write_cut_request(settings, worker_exit)
        if parts.stop.is_going_on:
            parts.stop.count(worker_exit)
        elif worker_exit.is_failure:
            self._blame(worker_exit, generation)

    def _blame(self, worker_exit: WorkerExit, generation: Generation | None) -> None:
        """It died before its time: back off, roll back, or just replace it."""
        if not self.is_proven and not worker_exit.member.refusal:
            self._parts.stop.fail(f"a worker died at start: {worker_exit.cause}")
        elif self._parts.succession.worker_died(worker_exit):
            pass  # it is made up for, or the reload is undone
        elif generation is not None and not worker_exit.is_proven:
            self._back_off(generation)

    def _back_off(self, generation: Generation) -> None:
        delay = generation.backoff.failed(time.monotonic())
        if generation.backoff.failures > 1:
            self._log.warning(
                "backing off",
                failures=generation.backoff.failures,
                retry_in=round(delay, 2),
            )
