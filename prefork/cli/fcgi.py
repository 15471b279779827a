"""prefork-fcgi: spawn a FastCGI program, with spawn-fcgi's command line."""

import os
import sys
from collections.abc import Sequence

from prefork.errors import PreforkError
from prefork.spawn.console import complain, finish, say
from prefork.spawn.getopt import OptionError
from prefork.spawn.inheritance import restore
from prefork.spawn.options import parse

PROG = "prefork-fcgi"
ALIAS = "spawn-fcgi"  # under this name we are what it says
EXIT_FAILED = 255


def main(argv: Sequence[str] | None = None) -> int:
    """Spawn the program and exit, or become it.

    The interpreter is left at once: its last steps take time, and could fail.
    """
    restore()
    status = _run(sys.argv[1:] if argv is None else argv, name=_find_name())
    finish()
    os._exit(status)


def _find_name() -> str:
    # Without its directory: a script is not told by which path it was called.
    return ALIAS if os.path.basename(sys.argv[0]) == ALIAS else PROG


def _run(arguments: Sequence[str], *, name: str) -> int:
    if not arguments:
        return _show("help", name=name, status=EXIT_FAILED)
    try:
        options = parse(arguments, permute="POSIXLY_CORRECT" not in os.environ)
        if options.show:
            return _show(options.show, name=name, status=0)
        if options.is_supervised:
            from prefork.cli.supervise import supervise

            return supervise(options)
        # Imported here, because --help needs no sockets.
        from prefork.spawn.launch import launch

        return launch(options, program=sys.argv[0])
    except OptionError as error:
        complain(str(error), prefix=f"{name}: ")
        return _show("help", name=name, status=0)
    except PreforkError as error:
        complain(str(error))
        return EXIT_FAILED


def _show(what: str, *, name: str, status: int) -> int:
    from prefork.spawn.words import VERSION, format_help

    say(VERSION if what == "version" else format_help(name))
    return status


if __name__ == "__main__":
    sys.exit(main())
