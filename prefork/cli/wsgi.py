"""prefork-wsgi: serve a WSGI application."""

import sys
from collections.abc import Sequence

from prefork.cli.start import start
from prefork.settings.gateways import WSGI


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    return start(WSGI, argv)


if __name__ == "__main__":
    sys.exit(main())
