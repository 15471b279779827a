"""A generation: one configuration, its listeners, and its template process."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from typing import Any

from prefork.errors import EXIT_APPLICATION
from prefork.master.backoff import BackOff
from prefork.master.handover import VERSION
from prefork.master.roster import FOREVER
from prefork.settings import Settings
from prefork.settings.registry import from_json, to_json
from prefork.system.channel import Channel, Message, adopt, pair
from prefork.system.document import write_document
from prefork.system.listen import Listener
from prefork.system.processes import spawn

TEMPLATE_MODULE = "prefork.cli.template"
CHANNEL_IN_TEMPLATE = 3


class Stage(Enum):
    """Where the template of a generation stands."""

    NONE = auto()  # there is none: not yet, or it has died
    PROMISED = auto()  # a worker will become it, when it has retired
    LOADING = auto()  # it imports the application
    READY = auto()  # it forks on request
    DISMISSED = auto()  # it was told to leave, or killed


class Generation:
    """Starts, asks and dismisses its template; Templates tells what comes of it."""

    def __init__(
        self,
        number: int,
        settings: Settings,
        listeners: Sequence[Listener],
        *,
        chance: Callable[[], float],
    ) -> None:
        self.number = number
        self.settings = settings
        self.listeners = list(listeners)
        # Tried unless forbidden; turned off when a template finds it unsafe.
        self.preload = settings.preload is not False
        self.stage = Stage.NONE
        self.pid = 0
        self.deadline = FOREVER
        self.sources: list[str] = []  # directories that it was imported from
        self.imported_at = 0.0  # Unix time at which the import began
        self.failure = ""  # why the last template came to nothing
        self.failure_status = EXIT_APPLICATION  # and what that is as an exit status
        self.refork_after = settings.refork_after  # that are still to come
        self.backoff = BackOff(chance)
        self.channel: Channel | None = None

    def start_template(
        self, *, shared: Sequence[int], access: int | None, now: float
    ) -> None:
        """Exec a template; `shared` are those of scoreboard, bell and lifeline.

        Raises OSError when the system cannot start another process.
        """
        document = write_document(to_json(self.settings), name="prefork-settings")
        try:
            self.channel = self._spawn()
            self.failure = ""
            self._boot([document, *shared], access)
        finally:
            os.close(document)
        self.stage = Stage.LOADING
        self.imported_at = time.time()
        self.failure_status = EXIT_APPLICATION
        self.deadline = now + self.settings.boot_timeout

    def _spawn(self) -> Channel:
        """Returns our end of the channel; OSError leaves nothing open."""
        ours, theirs = pair()
        try:
            self.pid = spawn(
                TEMPLATE_MODULE, [], descriptors={theirs.fileno(): CHANNEL_IN_TEMPLATE}
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        return ours

    def promise(self, now: float) -> Channel:
        """Await a worker, which becomes the template; returns the end for it.

        Raises OSError when no descriptors are left.
        """
        self.channel, theirs = pair()
        self.stage = Stage.PROMISED
        self.failure = ""
        settings = self.settings  # it is replaced first, and then it retires
        self.deadline = now + settings.boot_timeout + settings.graceful_timeout
        return theirs

    def keep_promise(self, pid: int) -> None:
        """The worker is here: what follows is as with any other template."""
        self.pid = pid
        self.stage = Stage.LOADING

    def _boot(self, shared: Sequence[int], access: int | None) -> None:
        assert self.channel is not None
        was_sent = self.channel.send(
            "boot",
            version=VERSION,
            generation=self.number,
            preload=self.preload,
            master=os.getpid(),
            has_access_file=access is not None,
            descriptors=[*shared, *([] if access is None else [access])],
        )
        if not was_sent:  # and without it the template would wait for ever
            self.failure = "the template could not be told what to load"
            os.kill(self.pid, signal.SIGKILL)

    def order(self, slot: int, channel: Channel) -> bool:
        """Ask for a worker, which gets `channel`; False if nobody hears it.

        The listeners go with each order: a template may outlive some of them, and
        would keep them open.
        """
        assert self.channel is not None
        return self.channel.send(
            "fork",
            slot=slot,
            protocols=[listener.address.protocol for listener in self.listeners],
            descriptors=[
                channel.fileno(),
                *(listener.socket.fileno() for listener in self.listeners),
            ],
        )

    def hear(self) -> Iterable[Message]:
        return self.channel.receive() if self.channel else ()

    def dismiss(self) -> None:
        """Let the template go, now: it serves nobody."""
        if self.stage in (Stage.LOADING, Stage.READY):
            self.stage = Stage.DISMISSED
            os.kill(self.pid, signal.SIGKILL)

    def abort(self, reason: str) -> None:
        """It has taken too long: ABRT, so that its stacks are in the log."""
        self.failure = reason
        self.stage = Stage.DISMISSED
        os.kill(self.pid, signal.SIGABRT)

    def forget_template(self) -> None:
        """There is none any more: it was reaped, or the promise was broken."""
        self.pid = 0
        self.stage = Stage.NONE
        self.deadline = FOREVER
        if self.channel is not None:
            self.channel.close()
            self.channel = None

    # Being handed over to another program

    def state(self) -> dict[str, Any]:
        """A generation that leaves may have listeners that are closed: not those."""
        sockets = [listener.socket for listener in self.listeners]
        return {
            "number": self.number,
            "settings": to_json(self.settings),
            "listeners": [each.fileno() for each in sockets if each.fileno() >= 0],
            "preload": self.preload,
            "stage": self.stage.name,
            "pid": self.pid,
            "deadline": self.deadline,
            "sources": self.sources,
            "imported_at": self.imported_at,
            "failure": self.failure,
            "failure_status": self.failure_status,
            "refork_after": self.refork_after,
            "backoff": self.backoff.state(),
            "channel": {"fd": self.channel.fileno()} if self.channel else None,
        }

    @classmethod
    def restore(
        cls,
        state: dict[str, Any],
        listeners: dict[int, Listener],  # by descriptor
        *,
        chance: Callable[[], float],
    ) -> "Generation":
        kept = [listeners[fd] for fd in state["listeners"] if fd in listeners]
        settings = from_json(state["settings"])
        generation = cls(state["number"], settings, kept, chance=chance)
        generation.preload = state["preload"]
        generation.stage = Stage[state["stage"]]
        generation.pid = state["pid"]
        generation.deadline = state["deadline"]
        generation.sources = state["sources"]
        generation.imported_at = state["imported_at"]
        generation.failure = state["failure"]
        generation.failure_status = state["failure_status"]
        generation.refork_after = tuple(state["refork_after"])
        generation.backoff.restore(state["backoff"])
        if channel := state["channel"]:
            generation.channel = adopt(channel["fd"])
        return generation
