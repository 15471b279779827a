"""In force: what a generation that is there to stay changes in the master."""

from collections.abc import Iterable

from setproctitle import setproctitle

from prefork.master.announcement import announce
from prefork.master.generation import Generation
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.system.listen import Listener


def open_for_good(
    generation: Generation, listeners: Listeners, logs: Logs
) -> list[Listener]:
    """Its listeners and no others; returns those that are new."""
    setproctitle(f"prefork: master [{generation.settings.title}]")
    for complaint in listeners.adjust(generation.settings):
        logs.log.warning("cannot change listener", text=complaint)
    return listeners.commit(generation.listeners)


def announce_change(
    generation: Generation, new: Iterable[Listener], logs: Logs
) -> None:
    """Log as its settings say from now on; first, where else we listen."""
    logs.configure(generation.settings)
    for listener in new:
        announce(listener, logs.log)
