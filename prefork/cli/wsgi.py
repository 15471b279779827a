"""prefork-wsgi: serve a WSGI application."""

import os
import sys
from collections.abc import Sequence

from prefork.cli.report import report, report_missing_app
from prefork.config import load
from prefork.errors import PreforkError

PROG = "prefork-wsgi"


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop; return the exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    try:
        configuration = load(arguments, os.environ, prog=PROG)
        if not configuration.settings.app:
            return report_missing_app(prog=PROG)
        # Here, because it brings the whole server, and --help needs none of it.
        from prefork.cli.serve import serve

        return serve(configuration, arguments)
    except PreforkError as error:
        return report(error, prog=PROG)


if __name__ == "__main__":
    sys.exit(main())
