"""prefork-wsgi: serve a WSGI application."""

import sys
from collections.abc import Sequence

from prefork.system.signals import end_quietly


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    end_quietly()  # before the imports, which take most of the time until start()
    from prefork.cli.start import start
    from prefork.settings.gateways import WSGI

    return start(WSGI, argv)


if __name__ == "__main__":
    sys.exit(main())
