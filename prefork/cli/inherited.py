"""Inherited: what whoever started the server has left in its environment.

The variables are taken from it, so that no child believes they were meant for it.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import dropwhile

from prefork.config import Configuration
from prefork.errors import ConfigError
from prefork.master.handover import VERSION
from prefork.monitor.scoreboard import Scoreboard
from prefork.protocols.table import DEFAULT_PROTOCOL
from prefork.settings.gateways import GATEWAYS
from prefork.system import store
from prefork.system.activation import (
    Passed,
    choose_protocol,
    parse_protocols,
    take_passed,
)
from prefork.system.notify import Notifier, take_notifier

FLAG = re.compile(r"-b\w+\+fd://\d+")  # as bind_flags() writes it; people add a space


@dataclass(frozen=True, slots=True)
class Inherited:
    """Sockets to serve, what a crashed master has left, and who is to be told."""

    sockets: Sequence[Passed]
    left: store.Left
    notifier: Notifier | None

    def open_scoreboard(self) -> Scoreboard:
        """That of the master before us, if it has crashed: its counts go on."""
        scoreboard = Scoreboard(self.left.scoreboard)
        if self.left.scoreboard is not None:
            scoreboard.inherit()
        return scoreboard


def take_inherited() -> Inherited:
    """Read the environment, and remove what was meant for us."""
    notifier = take_notifier(os.environ)
    sockets, left, useless = store.sort_out(take_passed(os.environ), layout=VERSION)
    left.notifier = notifier
    if notifier is not None:
        for name in useless:
            store.forget(notifier, name)
    return Inherited(sockets, left, notifier)


def bind_flags(configuration: Configuration, sockets: Sequence[Passed]) -> list[str]:
    """The arguments that have us serve the sockets of systemd; raises ConfigError.

    They have to come before all others, where without_flags() looks for them.
    """
    if not sockets:
        return []
    refuse_addresses(configuration)
    settings = configuration.settings
    given = parse_protocols(settings.socket_protocol)
    default = GATEWAYS[settings.gateway].protocol or DEFAULT_PROTOCOL
    chosen = [choose_protocol(each.name, given, default=default) for each in sockets]
    binds = zip(chosen, sockets, strict=True)
    return [f"-b{protocol}+fd://{each.fd}" for protocol, each in binds]


def refuse_addresses(configuration: Configuration) -> None:
    """Raise ConfigError if there are addresses beside the sockets of systemd."""
    if (origin := configuration.origins["bind"]) != "default":
        raise ConfigError(
            f"{origin}: the server is given its sockets by systemd, and would not "
            "open these (leave them out, or stop and disable the socket unit)"
        )


def without_flags(arguments: Sequence[str]) -> list[str]:
    """The arguments of a server without those that bind_flags() has made."""
    return list(dropwhile(FLAG.fullmatch, arguments))
