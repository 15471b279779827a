"""The store: descriptors that systemd keeps while a crashed master is replaced.

sd_notify(3), FDSTORE=1.  They come back like the sockets of socket units, told by
their names: listeners with their queues, and the scoreboard with its counts.

Each has a name of its own.  What is removed is removed by name, so with one name for
all there would be a moment, at each change, when nothing is kept.
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from prefork.system.activation import Passed
from prefork.system.notify import Notifier

LISTENERS = "prefork-listener-"  # and the socket's inode
SCOREBOARDS = "prefork-scoreboard-"
SCOREBOARD = SCOREBOARDS + "{}"  # the version of its layout


@dataclass(slots=True)
class Left:
    """What a master before us has left; whoever takes something removes it.

    `notifier`: who keeps it.
    """

    listeners: list[socket.socket] = field(default_factory=list)
    scoreboard: int | None = None
    notifier: Notifier | None = None

    def close(self) -> None:
        """Let go of the listeners that nobody has taken."""
        for each in self.listeners:
            if self.notifier is not None:
                forget(self.notifier, name_of(each.fileno()))
            each.close()
        self.listeners.clear()


def sort_out(
    passed: Sequence[Passed], *, layout: int
) -> tuple[list[Passed], Left, list[str]]:
    """The sockets of units; what was stored; and names of what is of no use."""
    units, left, useless = [], Left(), []
    for each in passed:
        if each.name.endswith(".socket"):
            units.append(each)
        elif each.name.startswith(LISTENERS):
            left.listeners.append(socket.socket(fileno=each.fd))
        elif each.name == SCOREBOARD.format(layout):
            left.scoreboard = each.fd
        elif each.name.startswith(SCOREBOARDS):
            os.close(each.fd)
            useless.append(each.name)
        else:
            units.append(each)
    return units, left, useless


def name_of(listener: int) -> str:
    """What a listener is called in the store, by each process that has it."""
    return f"{LISTENERS}{os.fstat(listener).st_ino}"


def keep(notifier: Notifier, name: str, descriptor: int) -> bool:
    """Have this kept; what is kept already under this name is not kept twice."""
    # FDPOLL=0, or one that polls as hung up would be dropped.
    lines = ("FDSTORE=1", "FDPOLL=0", f"FDNAME={name}")
    return notifier.send(*lines, descriptors=[descriptor])


def forget(notifier: Notifier, name: str) -> bool:
    """Have nothing kept under this name any more."""
    return notifier.send("FDSTOREREMOVE=1", f"FDNAME={name}")
