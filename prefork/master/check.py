"""CHECK: read a new configuration in a child, so that it can break nothing."""

from collections.abc import Callable, Sequence

from prefork.errors import EXIT_CONFIG
from prefork.master.inquiry import Answer, Inquiry
from prefork.master.reactor import Reactor
from prefork.settings import Settings
from prefork.settings.registry import from_json

CHECK_MODULE = "prefork.cli.resolve"
TIMEOUT = 10.0  # seconds


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
            done(from_json(answer.said), "", 0)
        elif answer.is_overdue:
            reason = f"the configuration was not read in {TIMEOUT:g} s"
            done(None, reason, EXIT_CONFIG)
        else:
            done(None, answer.complaint, answer.code)

    return Inquiry(CHECK_MODULE, arguments, reactor, answered, timeout=TIMEOUT)
