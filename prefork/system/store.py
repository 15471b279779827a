"""The store: descriptors that systemd keeps while a crashed master is replaced.

sd_notify(3), FDSTORE=1.  They come back like the sockets of socket units, told by
their names: listeners with their queues, and the scoreboard with its counts.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from prefork.system.activation import Passed
from prefork.system.notify import Notifier

LISTENER = "prefork-listener"
SCOREBOARDS = "prefork-scoreboard-"
SCOREBOARD = SCOREBOARDS + "{}"  # the version of its layout


@dataclass(slots=True)
class Left:
    """What a master before us has left; whoever takes something removes it."""

    listeners: list[socket.socket] = field(default_factory=list)
    scoreboard: int | None = None

    def close(self) -> None:
        """Let go of the listeners that nobody has taken."""
        for each in self.listeners:
            each.close()
        self.listeners.clear()


def sort_out(
    passed: Sequence[Passed], *, layout: int
) -> tuple[list[Passed], Left, list[str]]:
    """The sockets of units; what was stored; and names of what is of no use."""
    units, left, useless = [], Left(), []
    for each in passed:
        if each.name == LISTENER:
            left.listeners.append(socket.socket(fileno=each.fd))
        elif each.name == SCOREBOARD.format(layout):
            left.scoreboard = each.fd
        elif each.name.startswith(SCOREBOARDS) and not each.name.endswith(".socket"):
            os.close(each.fd)
            useless.append(each.name)
        else:
            units.append(each)
    return units, left, useless


def keep(notifier: Notifier, name: str, descriptors: Sequence[int]) -> bool:
    """Have these kept under a name, instead of those that were."""
    is_heard = forget(notifier, name)
    # FDPOLL=0, or one that polls as hung up would be dropped.
    lines = ("FDSTORE=1", "FDPOLL=0", f"FDNAME={name}")
    if descriptors:
        is_heard = is_heard and notifier.send(*lines, descriptors=descriptors)
    return is_heard


def forget(notifier: Notifier, name: str) -> bool:
    """Have nothing kept under this name any more."""
    return notifier.send("FDSTOREREMOVE=1", f"FDNAME={name}")
