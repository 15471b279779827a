"""The template: imports the application once, forks workers on request.

Every worker is born here, as an orphan that the master adopts.  The template
never serves; when it dies the workers go on, and the master starts another.
"""

import gc
import os
import signal
import socket
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from setproctitle import setproctitle

from prefork.errors import ApplicationError, PreforkError
from prefork.settings import Settings
from prefork.settings.resources import AUTO, expand_cpus, read_limit
from prefork.system import home, privileges, resources
from prefork.system.channel import TEXT_LIMIT, Channel, Message, adopt
from prefork.system.processes import die_with, fork_orphan
from prefork.template import gateways, loader
from prefork.template.hazards import find_children, find_hazards
from prefork.template.sources import find_sources

FORK_PATIENCE = 5.0  # seconds for the process between template and worker


@dataclass(frozen=True, slots=True)
class Newborn:
    """A worker that has just been forked, and registered with the master."""

    slot: int
    channel: Channel
    listeners: list[tuple[str, socket.socket]]  # (protocol, listening socket)


class Template:
    """One generation's template process."""

    def __init__(
        self,
        settings: Settings,
        *,
        generation: int,
        preload: bool,
        master: int,
        channel: Channel,
        own_descriptors: Collection[int],
        on_message: dict[str, Callable[[Message], None]],
    ) -> None:
        self._settings = settings
        self._generation = generation
        self._preload = preload
        self._master = master
        self._channel = channel
        self._own_descriptors = set(own_descriptors) - {channel.fileno()}
        self._on_message = on_message
        self._application: Callable[..., Any] | None = None
        self._cpus: list[int] = []  # each worker runs on one of them; []: on any

    def run(self) -> Newborn | None:
        """Load, then fork on request.

        Returns in each worker, with what it is born with; and in the template when it
        is to end, with None.
        """
        gc.disable()  # no holes in the pages that the workers will share
        self._take_title()
        try:
            self._settle_in()
            if self._preload:
                self.load()
        except PreforkError as error:
            self._send_failure(error)
            return None
        if not self._is_fit_to_fork():
            return None
        return self._serve_the_master()

    def load(self) -> Callable[..., Any]:
        """The application; imported once, by the template or by each worker."""
        if self._application is None:
            self._application = gateways.load(self._settings)
        return self._application

    def run_again(self, channel: Channel, *, generation: int) -> Newborn | None:
        """Like run(), in a worker that was promoted: its memory is shared now."""
        self._channel = channel
        self._generation = generation
        if not die_with(self._master, signal.SIGKILL):
            os._exit(0)
        if hazards := self.find_hazards():
            text = f"the worker has {', '.join(hazards)}"
            self._send_failure(ApplicationError(text))
            return None
        gc.disable()
        self._take_title()
        gc.unfreeze()  # so that what has become garbage since is collected
        return self._serve_the_master()

    def find_hazards(self, known: Collection[int] = ()) -> list[str]:
        """Name what a worker has that would not survive a fork, if it were promoted;
        `known` are descriptors to be left out."""
        mine = {*self._own_descriptors, self._channel.fileno(), *known}
        return [*find_hazards(mine), *find_children()]

    def _take_title(self) -> None:
        title = self._settings.title
        setproctitle(f"prefork: template gen {self._generation} [{title}]")

    def _serve_the_master(self) -> Newborn | None:
        gc.collect()
        gc.freeze()  # 1 instead of 58 MB private to a worker with a 115 MB heap
        sources = self._find_sources()
        self._channel.send("loaded", preload=self._preload, sources=sources)
        return self._fork_on_request()

    def _settle_in(self) -> None:
        """Become who the workers are to be, where they are to be."""
        settings = self._settings
        umask = settings.umask
        _go_home()
        self._claim_resources()
        if settings.user or settings.group:
            identity = privileges.look_up(settings.user, settings.group)
            privileges.drop(identity, initgroups=settings.initgroups, umask=umask)
        elif umask is not None:
            os.umask(umask)
        if not die_with(self._master, signal.SIGKILL):
            os._exit(0)
        loader.prepare(
            chdir=settings.chdir, pythonpath=settings.pythonpath, env=settings.env
        )

    def _claim_resources(self) -> None:
        """Before the user changes, since most of it is root's to decide."""
        settings = self._settings
        resources.become_expendable()
        resources.set_limits(map(read_limit, settings.rlimit))
        if settings.nice is not None:
            resources.set_niceness(settings.nice)
        if cpus := settings.cpu_affinity:
            wanted = None if cpus == AUTO else expand_cpus(cpus)
            self._cpus = resources.find_cpus(wanted)

    def _is_fit_to_fork(self) -> bool:
        """Report what does not survive a fork; without --preload, give up then."""
        mine = {*self._own_descriptors, self._channel.fileno()}
        hazards = find_hazards(mine) if self._preload else []
        if not hazards:
            return True
        is_forced = self._settings.preload is True
        self._channel.send("unsafe", hazards=hazards, forced=is_forced)
        return is_forced

    def _send_failure(self, error: PreforkError) -> None:
        text = str(error)[-TEXT_LIMIT:]
        sources = self._find_sources(error)
        status = error.exit_status
        self._channel.send("failed", text=text, status=status, sources=sources)

    def _find_sources(self, error: PreforkError | None = None) -> list[str]:
        """What a watcher has to watch; nothing if there is none."""
        return find_sources(error) if self._settings.reload else []

    def _fork_on_request(self) -> Newborn | None:
        """Fork as often as the master asks; the stack does not grow with it."""
        while (message := self._channel.wait()) is not None:
            if message.kind == "leave":
                break
            if message.kind != "fork":
                self._on_message[message.kind](message)
            elif newborn := self._fork(message):
                return newborn
        return None

    def _fork(self, message: Message) -> Newborn | None:
        slot, channel = message.fields["slot"], adopt(message.descriptors[0])
        listeners = [
            (protocol, socket.socket(fileno=fd))
            for protocol, fd in zip(
                message.fields["protocols"], message.descriptors[1:], strict=True
            )
        ]
        if _is_newborn(channel):
            self._register(slot, channel)
            return Newborn(slot, channel, listeners)
        # The master hears of a failure by the end of the worker's channel.
        channel.close()
        for _, listener in listeners:
            listener.close()
        return None

    def _register(self, slot: int, channel: Channel) -> None:
        """The first steps of a worker."""
        self._channel.close()
        if not channel.send("registered"):
            os._exit(0)  # the master has given this slot up in the meantime
        if self._cpus:
            resources.run_on(self._cpus[slot % len(self._cpus)])


def _is_newborn(channel: Channel) -> bool:
    """Fork a worker; True in it, False in the template, be there a worker or not."""
    try:
        status = fork_orphan(
            lambda pid: channel.send("forked", pid=pid), patience=FORK_PATIENCE
        )
    except OSError as error:
        channel.send("unforked", error=error.strerror)
        return False
    return status is None


def _go_home() -> None:
    """To the working directory that the server was started in, as it is now."""
    try:
        home.enter()
    except OSError as error:
        raise ApplicationError(
            f"cannot go to {error.filename}: {error.strerror}"
        ) from error
