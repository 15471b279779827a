"""Settings that are fixed at the start: a reload leaves them alone."""

from collections.abc import Callable
from dataclasses import replace

from prefork.settings import FIXED, Settings


def keep_fixed(
    wanted: Settings, in_force: Settings, *, warn: Callable[..., None]
) -> Settings:
    """The settings of a reload, with those that it cannot change as they are.

    The settings of a generation then never claim what is not in force; and the next
    reload compares with the same, so it warns again.
    """
    kept = {name: getattr(in_force, name) for name in FIXED}
    for name, value in kept.items():
        if getattr(wanted, name) != value:
            warn("ignored setting", name=name, reason="needs a restart")
    return replace(wanted, **kept)
