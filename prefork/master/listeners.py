"""The listeners of a server: opened at start, kept or changed at a reload."""

from collections.abc import Sequence

from prefork.settings import Settings
from prefork.system import listen, privileges
from prefork.system.listen import Listener, parse_bind


class Listeners:
    """What is open.  A listener that two configurations share is never closed."""

    def __init__(self, settings: Settings) -> None:
        self.open: list[Listener] = []
        self._new: list[Listener] = []
        self.open = self.prepare(settings, tries=5)
        self._new = []

    def prepare(self, settings: Settings, *, tries: int = 1) -> list[Listener]:
        """The listeners of a configuration: those we have, and new ones.

        Raises ConfigError or SystemRefusal; nothing has changed then.
        """
        kept = {listener.address: listener for listener in self.open}
        self._new = []
        wanted = []
        try:
            for address in dict.fromkeys(parse_bind(text) for text in settings.bind):
                if address not in kept:
                    self._new.append(_open(address, settings, tries))
                wanted.append(kept.get(address) or self._new[-1])
        except BaseException:
            self.roll_back()
            raise
        return wanted

    def roll_back(self) -> None:
        """Close what prepare() has opened."""
        while self._new:
            listen.close(self._new.pop())

    def commit(self, wanted: Sequence[Listener]) -> list[Listener]:
        """From now on these; the others are closed, as their last worker leaves.

        Returns those that are new.
        """
        for listener in self.open:
            if listener not in wanted:
                listen.close_door(listener)
                listen.close(listener)
        new, self._new = self._new, []
        self.open = list(wanted)
        return new

    def are_dropped(self, wanted: Sequence[Listener]) -> bool:
        """Is there one that a new configuration does without?"""
        return any(listener not in wanted for listener in self.open)

    def close_doors(self) -> None:
        """No newcomers: what is queued can still be accepted."""
        for listener in self.open:
            listen.close_door(listener)

    def close(self) -> None:
        for listener in self.open:
            listen.close(listener)


def _open(address: listen.Address, settings: Settings, tries: int) -> Listener:
    owner = None
    if settings.socket_owner:
        user, _, group = settings.socket_owner.partition(":")
        identity = privileges.look_up(user, group)
        owner = (identity.uid, identity.gid)
    return listen.open_listener(
        address,
        backlog=settings.backlog,
        socket_mode=settings.socket_mode,
        socket_owner=owner,
        tries=tries,
    )
