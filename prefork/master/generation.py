"""A generation: one configuration, its listeners, and its template process."""

import os
import signal
from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto

from prefork.errors import EXIT_APPLICATION
from prefork.master.backoff import BackOff
from prefork.settings import Settings, to_json
from prefork.system.channel import Channel, Message, pair
from prefork.system.listen import Listener
from prefork.system.processes import spawn

TEMPLATE_MODULE = "prefork.cli.template"
CHANNEL_IN_TEMPLATE = 3


class Stage(Enum):
    """Where the template of a generation stands."""

    NONE = auto()  # there is none: not yet, or it has died
    LOADING = auto()  # it imports the application
    READY = auto()  # it forks on request
    DISMISSED = auto()  # it was told to leave, or killed


class Generation:
    """Starts, asks and dismisses its template; who to tell is `heard`'s business."""

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
        # Unless told otherwise it is tried; Template says when it is unsafe.
        self.preload = settings.preload is not False
        self.stage = Stage.NONE
        self.pid = 0
        self.deadline = float("inf")
        self.failure = ""  # why the last template came to nothing
        self.failure_status = EXIT_APPLICATION  # and what that is as an exit status
        self.backoff = BackOff(chance)
        self.channel: Channel | None = None

    def start_template(
        self, *, shared: Sequence[int], access: int | None, now: float
    ) -> None:
        """Exec a template; `shared` are the scoreboard's and the bell's descriptor.

        Raises OSError when the system cannot start another process.
        """
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
        self.channel = ours
        self.stage = Stage.LOADING
        self.failure = ""
        self.failure_status = EXIT_APPLICATION
        self.deadline = now + self.settings.boot_timeout
        self._bequeath(shared, access)

    def _bequeath(self, shared: Sequence[int], access: int | None) -> None:
        assert self.channel is not None
        listening = [listener.socket.fileno() for listener in self.listeners]
        self.channel.send(
            "boot",
            settings=to_json(self.settings),
            generation=self.number,
            preload=self.preload,
            master=os.getpid(),
            has_access_file=access is not None,
            protocols=[listener.address.protocol for listener in self.listeners],
            descriptors=[*shared, *([] if access is None else [access]), *listening],
        )

    def order(self, slot: int, channel: Channel) -> bool:
        """Ask for a worker, which gets `channel`; False if nobody hears it."""
        assert self.channel is not None
        return self.channel.send("fork", slot=slot, descriptors=[channel.fileno()])

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
        """Its process has been reaped."""
        self.pid = 0
        self.stage = Stage.NONE
        self.deadline = float("inf")
        if self.channel is not None:
            self.channel.close()
            self.channel = None
