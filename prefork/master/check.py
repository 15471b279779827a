"""CHECK: read a new configuration in a child, so that it can break nothing."""

from collections.abc import Callable, Sequence

from prefork.errors import EXIT_CONFIG
from prefork.master.inquiry import Answer, Inquiry
from prefork.master.reactor import Reactor
from prefork.settings import Settings
from prefork.settings.registry import from_json

CHECK_MODULE = "prefork.cli.resolve"
TIMEOUT = 10.0  # seconds
OTHER_VERSION = "another version of prefork has been installed: `prefork upgrade`"


def check(
    arguments: Sequence[str],
    reactor: Reactor,
    done: Callable[[Settings | None, str, int], None],
) -> Inquiry:
    """Ask; `done(settings, "", 0)`, or `done(None, complaint, exit status)`.

    Raises OSError when the system cannot start another process.
    """

    def answered(answer: Answer) -> None:
        if answer.code == 0:
            settings = read(answer.said)
            if settings is None:
                done(None, OTHER_VERSION, EXIT_CONFIG)
            else:
                done(settings, "", 0)
        elif answer.is_overdue:
            reason = f"the configuration was not read in {TIMEOUT:g} s"
            done(None, reason, EXIT_CONFIG)
        else:
            done(None, answer.complaint, answer.code)

    return Inquiry(CHECK_MODULE, arguments, reactor, answered, timeout=TIMEOUT)


def read(said: str) -> Settings | None:
    """What the child has found; None if it knows settings that we do not.

    It is a program of its own, and may have been replaced while we run.
    """
    try:
        return from_json(said)
    except (TypeError, ValueError, AttributeError):
        return None
