"""The watcher: a child that tells the master of files that have changed.

A process of its own, because to watch files takes threads and a library.
"""

import os
import signal
from collections.abc import Callable, Iterable, Sequence

from prefork.master.reactor import Reactor
from prefork.monitor.log import Log
from prefork.settings import Settings
from prefork.system.channel import Channel, pair
from prefork.system.processes import describe_exit, spawn

WATCH_MODULE = "prefork.cli.watch"
CHANNEL_IN_WATCHER = 3


class Watcher:
    """At most one child; `on_change()` is called when files have changed."""

    def __init__(
        self,
        arguments: Sequence[str],
        reactor: Reactor,
        log: Log,
        *,
        on_change: Callable[[], None],
    ) -> None:
        self._arguments = arguments
        self._reactor = reactor
        self._log = log
        self._on_change = on_change
        self._watched: tuple[list[str], list[str]] | None = None
        self._channel: Channel | None = None
        self._settings: Settings | None = None  # those that it works for
        self._failed_for: Settings | None = None  # until the next generation
        self._pid = 0
        self._is_dismissed = False

    def reconcile(
        self, settings: Settings, directories: Iterable[str], since: float
    ) -> None:
        """Watch what there is to watch, or nothing; for changes since a Unix time."""
        if not settings.reload:
            self.dismiss()
            return
        wanted = list(directories), list(settings.reload_extra_file)
        if not wanted[0] or settings is self._failed_for:
            return
        self._settings = settings
        if not self._pid:
            self._start()
        if self._channel is not None and wanted != self._watched:
            self._watched = wanted
            self._channel.send(
                "watch", directories=wanted[0], globs=wanted[1], since=since
            )

    def _start(self) -> None:
        try:
            self._channel = self._spawn()
        except OSError as error:
            self._give_up(error.strerror or "")
            return
        self._watched, self._is_dismissed = None, False
        self._reactor.watch(self._channel.fileno(), self._hear)

    def _spawn(self) -> Channel:
        """Returns our end of the channel; OSError leaves nothing open."""
        ours, theirs = pair()
        descriptors = {theirs.fileno(): CHANNEL_IN_WATCHER}
        arguments = [str(os.getpid()), *self._arguments]
        try:
            self._pid = spawn(WATCH_MODULE, arguments, descriptors=descriptors)
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def _hear(self) -> None:
        assert self._channel is not None
        for message in self._channel.receive():
            if message.kind == "changed":
                self._log.info("files changed", **message.fields)
                self._on_change()
        if self._channel.is_closed:
            self._forget_channel()

    def _forget_channel(self) -> None:
        if self._channel is not None:
            self._reactor.unwatch(self._channel.fileno())
            self._channel.close()
            self._channel = None

    def _give_up(self, reason: str) -> None:
        """It is a convenience: nothing else suffers.  A reload begins anew."""
        self._failed_for = self._settings
        self._log.error("cannot watch files", text=reason)

    def dismiss(self) -> None:
        self._forget_channel()
        self._is_dismissed = True
        if self._pid:
            os.kill(self._pid, signal.SIGKILL)  # not reaped yet, so it is ours

    def exited(self, pid: int, code: int) -> bool:
        """One of our children was reaped; False if it was not the watcher."""
        if pid != self._pid:
            return False
        self._forget_channel()
        self._pid = 0
        if not self._is_dismissed:
            self._give_up(f"the watcher died of {describe_exit(code)}")
        return True
