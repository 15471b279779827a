"""prefork dump: where are the workers? Their stacks, in the server's log."""

from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import add_choice, ask, choose
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.report import report
from prefork.errors import EXIT_OK, PreforkError

PROG = "prefork dump"


def main(argv: Sequence[str]) -> int:
    """Have workers write their stacks; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Have workers write the stacks of all their threads to the log of "
        "the server; they go on with what they do.",
        epilog=with_examples(
            "Exit status: 0 when they were asked, 1 when there is no such worker "
            "or master.",
            "prefork dump",
            "prefork dump 3 --pid 812",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument(
        "slot", nargs="?", type=int, metavar="SLOT", help="this one only"
    )
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        workers = ask(choose(options), "dump", slot=options.slot)["workers"]
    except PreforkError as error:
        return report(error, prog=PROG)
    for worker in workers:
        print(f"worker {worker['slot']}, pid {worker['pid']}: see the server's log")
    return EXIT_OK
