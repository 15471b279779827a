"""prefork reopen: go on in new log files, after a rotation."""

from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import add_choice, ask, choose
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.report import report
from prefork.errors import EXIT_OK, PreforkError
from prefork.monitor.escape import escape_unprintable

PROG = "prefork reopen"


def main(argv: Sequence[str]) -> int:
    """Have the log files opened again; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Open the log files again, after a rotation.",
        epilog=with_examples(
            "Exit status: 0 when it is done, 1 when there is no such master.",
            "mv app.log app.log.1 && prefork reopen",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        files = ask(choose(options), "reopen")["files"]
    except PreforkError as error:
        return report(error, prog=PROG)
    names = ", ".join(map(escape_unprintable, files))
    print(f"opened again: {names}" if files else "no log of this server is a file")
    return EXIT_OK
