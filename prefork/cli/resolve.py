"""Read the configuration again, for a master that must not fail at it.

    python -P -m prefork.cli.resolve GATEWAY ARGUMENTS

Before a reload the master runs this in a child of its own.  The settings go to
stdout, as JSON; what is wrong with them goes to stderr.
"""

import os
import sys
from collections.abc import Sequence

from prefork.cli.inherited import refuse_addresses, without_flags
from prefork.config import load
from prefork.config.meaning import find_meanings
from prefork.errors import EXIT_CONFIG, EXIT_OK, ConfigError
from prefork.settings.gateways import GATEWAYS
from prefork.settings.registry import to_json
from prefork.system import home


def main(argv: Sequence[str] | None = None) -> int:
    """Print the settings; return the exit status."""
    gateway, *arguments = sys.argv[1:] if argv is None else argv
    prog = GATEWAYS[gateway].prog
    try:
        home.enter()
        settings = load(arguments, os.environ, prog=prog, gateway=gateway).settings
        if not settings.is_complete:
            raise ConfigError("app: it is not named any more")
        _refuse_addresses(arguments, prog=prog, gateway=gateway)
        settings = find_meanings(settings)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    except OSError as error:
        print(f"cannot go to {error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_CONFIG
    print(to_json(settings))
    return EXIT_OK


def _refuse_addresses(arguments: Sequence[str], *, prog: str, gateway: str) -> None:
    """Raise ConfigError, as a start does, for addresses beside systemd's sockets."""
    if (own := without_flags(arguments)) != arguments:
        refuse_addresses(load(own, os.environ, prog=prog, gateway=gateway))


if __name__ == "__main__":
    sys.exit(main())
