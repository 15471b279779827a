"""What a command says on stderr when it cannot go on, and its exit status."""

import sys

from prefork.errors import EXIT_USAGE, ApplicationError, PreforkError
from prefork.settings.gateways import GATEWAYS


def report(error: PreforkError, *, prog: str) -> int:
    """Print what went wrong; return the exit status that says so.

    The text of an ApplicationError is a traceback, so it is left as it is.
    """
    prefix = "" if isinstance(error, ApplicationError) else f"{prog}: "
    if text := str(error).rstrip("\n"):
        for line in text.split("\n"):
            print(prefix + line, file=sys.stderr)
    return error.exit_status


def report_missing_app(*, prog: str, gateway: str) -> int:
    """Say that nothing to serve was named, which is a mistake of usage."""
    known = GATEWAYS[gateway]
    print(
        f"usage: {prog} [OPTION]... {known.operand}\n{prog}: error: {known.missing}",
        file=sys.stderr,
    )
    return EXIT_USAGE
