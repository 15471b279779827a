"""prefork top: a server, live."""

import os
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Sequence

from prefork.cli.calling import add_choice, choose
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.report import report
from prefork.cli.view import Viewer, format_plain
from prefork.errors import EXIT_OK, PreforkError
from prefork.monitor.figures import SPARKS

PROG = "prefork top"
DUMB = ("dumb", "unknown")  # what TERM says of terminals that only print
GLANCE = 0.5  # seconds between the two looks that a rate needs
HINT = "for a live view: pip install 'prefork[top]'"


def main(argv: Sequence[str]) -> int:
    """Show a server until `q`; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Watch a server: its rates, and its workers, the one with the "
        "oldest request first.  Keys: arrows select a worker, d has it write its "
        "stacks to the server's log, r reloads, + and - scale, q quits.",
        epilog=with_examples(
            "Exit status: 0, or 1 when there is no such master, or no longer.",
            "prefork top",
            "prefork top --once --pidfile /run/app.pid",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--interval",
        type=_parse_interval,
        default=1.0,
        metavar="SECONDS",
        help="between two looks [1]",
    )
    parser.add_argument(
        "--once", action="store_true", help="print one look; so without a terminal"
    )
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        viewer = Viewer(choose(options))
        if options.once or not _can_draw():
            return _print_once(viewer)
        return _watch(viewer, options.interval)
    except PreforkError as error:
        return report(error, prog=PROG)
    except KeyboardInterrupt:
        return EXIT_OK


def _parse_interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0.1 <= seconds <= 3600:
        raise ArgumentTypeError(f"{text!r} is not 0.1 to 3600 seconds")
    return seconds


def _can_draw() -> bool:
    """Is there somebody who has keys, and a terminal that can do more than print?"""
    has_keys = sys.stdin is not None and sys.stdin.isatty()
    is_able = sys.stdout.isatty() and os.environ.get("TERM") not in DUMB
    return has_keys and is_able and _knows(SPARKS)


def _knows(characters: str) -> bool:
    try:
        characters.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return False
    return True


def _print_once(viewer: Viewer) -> int:
    viewer.look()
    time.sleep(GLANCE)
    print(format_plain(viewer.look()))
    return EXIT_OK


def _watch(viewer: Viewer, interval: float) -> int:
    try:
        from prefork.cli.screen import Screen
    except ModuleNotFoundError:
        return _print_again(viewer, interval)
    Screen(viewer, interval).run()
    return EXIT_OK


def _print_again(viewer: Viewer, interval: float) -> int:
    print(HINT, file=sys.stderr)
    viewer.look()
    while True:
        time.sleep(interval)
        print(f"\n{format_plain(viewer.look())}", flush=True)
