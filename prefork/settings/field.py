"""How a field of `Settings` is described."""

from dataclasses import field
from typing import TypeVar

from prefork.settings.gateways import GATEWAYS
from prefork.settings.kinds import Kind

T = TypeVar("T")


def setting(
    default: T,
    flags: str,
    metavar: str,
    help: str,
    kind: Kind[T],
    *,
    shown: str = "",
    only: str = "",
) -> T:
    """Describe one field of `Settings`.

    `flags` are separated by spaces; of the long ones the first gives the setting its
    name in messages.  `shown` is the default as help words it.  `only` are the
    gateways that have this setting, if not all have.
    """
    metadata = {"flags": tuple(flags.split()), "metavar": metavar, "help": help}
    gateways = frozenset(only.split() or GATEWAYS)
    more = {"kind": kind, "shown": shown, "gateways": gateways}
    return field(default=default, metadata=metadata | more)
