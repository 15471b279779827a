"""The listeners of a server: opened at start, kept or changed at a reload."""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prefork.errors import PreforkError
from prefork.settings import Settings
from prefork.system import listen
from prefork.system.address import Address, same
from prefork.system.closing import close_door
from prefork.system.exposure import check_exposure
from prefork.system.listen import Listener
from prefork.system.names import understand


@dataclass(frozen=True, slots=True)
class ListenerOptions:
    """What a configuration says of all its listeners, without their addresses."""

    backlog: int
    mode: int
    owner: listen.Owner | None

    @classmethod
    def read(cls, settings: Settings) -> "ListenerOptions":
        return cls(settings.backlog, settings.socket_mode, settings.owner)


class Listeners:
    """What is open.  A listener that two configurations share is never closed."""

    def __init__(
        self,
        settings: Settings,
        *,
        kept: dict[str, Any] | None = None,
        left: list[socket.socket] | None = None,
    ) -> None:
        """`kept`: after an upgrade, the state() of the program before us.

        `left`: sockets of a master that has crashed, to be used instead of new ones.
        """
        self.open: list[Listener] = []
        self._new: list[Listener] = []
        # Those that somebody else has opened: not closed when a configuration drops
        # them, since a later one could not open them again.
        self._inherited: list[Listener] = []
        self._left = left or []
        self._options = ListenerOptions.read(settings)
        if kept is not None:
            self.open = [Listener.restore(each) for each in kept["open"]]
            self._inherited = [Listener.restore(each) for each in kept["inherited"]]
            return
        self.open = self.prepare(settings, tries=5)
        self._new = []

    def state(self) -> dict[str, Any]:
        """For the program that replaces this one; see prefork/master/handover.py."""
        return {
            "open": [each.state() for each in self.open],
            "inherited": [each.state() for each in self._dropped()],
        }

    def prepare(self, settings: Settings, *, tries: int = 1) -> list[Listener]:
        """The listeners of a configuration: those we have, and new ones.

        Raises ConfigError or SystemRefusal; nothing has changed then.
        """
        try:
            wanted = self._open(settings, tries=tries, on_refusal=_refuse)
            for each in wanted:
                check_exposure(each.address.protocol, each.socket, settings.ajp_secret)
            return wanted
        except BaseException:
            self.roll_back()
            raise

    def restore(self, settings: Settings) -> tuple[list[Listener], list[str]]:
        """Those of a configuration that was left, and what cannot be had again."""
        refusals: list[str] = []
        wanted = self._open(
            settings, tries=1, on_refusal=lambda error: refusals.append(str(error))
        )
        return wanted, refusals

    def _open(
        self,
        settings: Settings,
        *,
        tries: int,
        on_refusal: Callable[[PreforkError], object],
    ) -> list[Listener]:
        here = {each.address: each for each in (*self._inherited, *self.open)}
        addresses = dict.fromkeys(understand(settings.bind, settings.hosts))
        unnamed = {
            each.address.place: each
            for each in here.values()
            if each.address not in addresses
        }
        options = ListenerOptions.read(settings)
        self._new = []
        for address in addresses:
            if address in here:
                continue
            if address.place in unnamed:  # the same socket with another protocol
                here[address] = unnamed.pop(address.place).speaking(address.protocol)
                continue
            try:
                here[address] = _open_listener(address, options, tries, self._left)
            except PreforkError as error:
                on_refusal(error)
            else:
                self._new.append(here[address])
        return [here[address] for address in addresses if address in here]

    def roll_back(self) -> None:
        """Close what prepare() has opened."""
        new, self._new = self._new, []
        for listener in new:
            if listener.is_inherited:
                listener.socket.detach()  # the next configuration may want it
            else:
                listen.close(listener)

    def adjust(self, settings: Settings) -> list[str]:
        """Have those that are open keep to the options of a configuration in force
        from now on; returns what could not be done."""
        before, self._options = self._options, ListenerOptions.read(settings)
        if self._options == before:  # and what an operator has changed stays so
            return []
        complaints = (_adjust(each, self._options) for each in self.open)
        return [complaint for complaint in complaints if complaint]

    def commit(self, wanted: Sequence[Listener]) -> list[Listener]:
        """From now on these; the others are closed, as their last worker leaves.

        Returns those that are new.
        """
        before, self.open, self._new = self.open, list(wanted), []
        for listener in before:
            if _is_among(listener, wanted):
                continue
            if listener.is_inherited:
                others = (e for e in self._inherited if not _is_among(e, [listener]))
                self._inherited = [*others, listener]
            else:
                with suppress(OSError):  # it closes with the socket, if not before
                    close_door(listener)
                listen.close(listener)
        return [each for each in wanted if each not in before]

    def are_dropped(self, wanted: Sequence[Listener]) -> bool:
        """Is there one that a new configuration does without?"""
        return not all(_is_among(listener, wanted) for listener in self.open)

    @property
    def all(self) -> list[Listener]:
        """Those that are open, and those that nobody serves just now."""
        return [*self.open, *self._dropped()]

    def _dropped(self) -> list[Listener]:
        return [each for each in self._inherited if not _is_among(each, self.open)]

    @property
    def outlive_us(self) -> bool:
        """Do all go on listening when we have stopped, for a server after us?"""
        return all(each.outlives_us for each in self.open)

    def close_doors(self) -> None:
        """No newcomers: what is queued can still be accepted."""
        for listener in (*self.open, *self._new):
            close_door(listener)

    def close(self) -> None:
        self.roll_back()
        for listener in self.open:
            listen.close(listener)


def _is_among(listener: Listener, others: Sequence[Listener]) -> bool:
    """Is its socket one of theirs, whatever is spoken there?"""
    return any(same(listener.address, each.address) for each in others)


def _refuse(error: PreforkError) -> None:
    raise error


def _open_listener(
    address: Address, options: ListenerOptions, tries: int, left: list[socket.socket]
) -> Listener:
    if listener := listen.recover(address, left):
        _adjust(listener, options)
        return listener
    return listen.open_listener(
        address,
        backlog=options.backlog,
        socket_mode=options.mode,
        socket_owner=options.owner,
        tries=tries,
    )


def _adjust(listener: Listener, options: ListenerOptions) -> str:
    try:
        listen.adjust(listener, options.backlog, options.mode, options.owner)
    except OSError as error:
        return f"{listener.url}: {error.strerror}"
    return ""
