"""prefork scale: more workers, or less."""

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence

from prefork.cli.calling import add_choice, ask, choose
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.report import report
from prefork.errors import EXIT_OK, PreforkError
from prefork.settings.scale import STEP, parse_scale

PROG = "prefork scale"


def main(argv: Sequence[str]) -> int:
    """Change how many workers there are; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Change how many workers there are, until the server ends; a "
        "reload does not change it back.",
        epilog=with_examples(
            "Exit status: 0 when the server will; 1 when it cannot, or there is no "
            "such master; 2 for what is no number of workers.",
            "prefork scale 8",
            "prefork scale 2:16",
            "prefork scale -1",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument(
        "workers",
        type=_parse_workers,
        metavar="N|MIN:MAX|+N|-N",
        help="so many; as many as the load asks for; so many more, or less",
    )
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        answer = ask(choose(options), "scale", workers=options.workers)
    except PreforkError as error:
        return report(error, prog=PROG)
    print(f"workers: {answer['workers']}, before {answer['before']}")
    return EXIT_OK


def _parse_workers(text: str) -> str:
    """As it is, if the master will understand it."""
    if not STEP.fullmatch(text):
        try:
            parse_scale(text)
        except ValueError as error:
            raise ArgumentTypeError(f"{error} (write 8, 2:8, +1 or -1)") from None
    return text
