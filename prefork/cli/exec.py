"""prefork exec: keep copies of a FastCGI program running."""

from collections.abc import Sequence

from prefork.cli.start import start
from prefork.settings.gateways import EXEC


def main(argv: Sequence[str]) -> int:
    """Supervise until told to stop; return the exit status."""
    return start(EXEC, argv)
