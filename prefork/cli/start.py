"""What prefork-wsgi and prefork-cgi have in common: begin to serve."""

import os
import sys
from collections.abc import Sequence

from prefork.cli.report import report, report_missing_app
from prefork.config import load
from prefork.errors import PreforkError
from prefork.settings.gateways import GATEWAYS


def start(gateway: str, argv: Sequence[str] | None) -> int:
    """Serve until told to stop; return the exit status.

    The master keeps the name of the gateway in front of the arguments: with both
    the configuration can be read again (cli/resolve.py).
    """
    arguments = sys.argv[1:] if argv is None else list(argv)
    prog = GATEWAYS[gateway].prog
    try:
        configuration = load(arguments, os.environ, prog=prog, gateway=gateway)
        if not configuration.settings.is_complete:
            return report_missing_app(prog=prog, gateway=gateway)
        # Here, because it brings the whole server, and --help needs none of it.
        from prefork.cli.serve import serve

        return serve(configuration, [gateway, *arguments])
    except PreforkError as error:
        return report(error, prog=prog)
