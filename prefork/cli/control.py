"""prefork: what an operator does with a server, a subcommand each."""

import sys
from argparse import (
    REMAINDER,
    SUPPRESS,
    ArgumentParser,
    RawDescriptionHelpFormatter,
)
from collections.abc import Sequence
from importlib import import_module

from prefork import __version__
from prefork.cli.report import report
from prefork.cli.stdout import attentive
from prefork.errors import PreforkError

PROG = "prefork"
EPILOG = """\
examples:
  prefork status
  git pull && prefork reload
  prefork scale 2:16
  prefork request http://127.0.0.1:8000/

See `prefork COMMAND --help`.  Servers are started by prefork-wsgi,
prefork-cgi and `prefork exec`.
"""
# The module of each has main(argv) -> exit status, and its own --help.
OPERATING = {
    "list": ("prefork.cli.list", "the masters that run"),
    "status": ("prefork.cli.status", "what a server does at this moment"),
    "top": ("prefork.cli.top", "the same, live"),
    "reload": (
        "prefork.cli.reload",
        "new code and configuration",
    ),
    "scale": ("prefork.cli.scale", "more workers, or less"),
    "stop": ("prefork.cli.stop", "answer what was accepted, then end"),
    "upgrade": ("prefork.cli.upgrade", "become the prefork that is installed now"),
    "reopen": ("prefork.cli.reopen", "go on in new log files, after a rotation"),
    "dump": ("prefork.cli.dump", "where the workers are: their stacks, in the log"),
}
WITHOUT_A_SERVER = {  # that runs already
    "exec": ("prefork.cli.exec", "keep copies of a FastCGI program running"),
    "check": ("prefork.cli.check", "show every setting, import the application"),
    "request": ("prefork.cli.request", "ask any server, over any of the protocols"),
    "inspect": ("prefork.cli.inspect", "look on, between a web server and another"),
}
COMMANDS = OPERATING | WITHOUT_A_SERVER


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand; return its exit status."""
    prog = PROG
    try:
        with attentive():
            options = _parser().parse_args(argv)
            prog = f"{PROG} {options.command}"
            module = import_module(COMMANDS[options.command][0])
            status: int = module.main(options.arguments)
            return status
    except PreforkError as error:
        return report(error, prog=prog)


def _parser() -> ArgumentParser:
    commands = [
        *("Look after a prefork server.", "", *_list(OPERATING)),
        *("", "What needs none:", "", *_list(WITHOUT_A_SERVER)),
    ]
    parser = ArgumentParser(
        PROG,
        usage="%(prog)s [-h] [--version] COMMAND [ARGUMENT]...",
        description="\n".join(commands),
        epilog=EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    version = f"prefork {__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("command", metavar="COMMAND", choices=COMMANDS, help=SUPPRESS)
    rest = parser.add_argument("arguments", nargs=REMAINDER, help=SUPPRESS)
    rest.required = False  # or argparse lists it when COMMAND is missing
    return parser


def _list(commands: dict[str, tuple[str, str]]) -> list[str]:
    return [f"  {name:<10}{what}" for name, (_, what) in commands.items()]


if __name__ == "__main__":
    sys.exit(main())
