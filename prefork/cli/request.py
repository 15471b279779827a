"""prefork request: ask over any of the protocols, print the answer."""

import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Sequence
from typing import TypeVar

from prefork.cli.exchange import exchange
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.outcome import RequestOutcome, parse_expectation, summarize
from prefork.cli.pointing import Place
from prefork.cli.questioning import add_arguments, read_arguments
from prefork.errors import EXIT_INTERRUPTED, EXIT_OK, PreforkError
from prefork.monitor.block import leave_plain, paint
from prefork.monitor.escape import escape_unprintable
from prefork.monitor.transcript import Page, Transcript
from prefork.protocols.asking.question import Question
from prefork.protocols.watching.events import Answered, Complaint, Data, Event, Side
from prefork.settings.kinds import SOME_SECONDS, whole

PROG = "prefork request"

T = TypeVar("T")


def main(argv: Sequence[str]) -> int:
    """Ask, print; return the exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(argv)  # options may come last
    try:
        place, question = read_arguments(options)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    try:
        if options.repeat > 1:
            return ask_often(place, question, options)
        return ask_once(place, question, options)
    except ValueError as error:
        parser.error(str(error))
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def ask_once(place: Place, question: Question, options: Namespace) -> int:
    """Print the answer, and what is wrong with it on stderr."""

    def show(event: Event) -> None:
        if not (options.verbose and isinstance(event, Complaint)):
            show_event(event, with_head=options.include)

    outcome = ask(place, question, options, show)
    if outcome.problem:
        print(f"{PROG}: {escape_unprintable(outcome.problem)}", file=sys.stderr)
    return outcome.exit_status


def ask_often(place: Place, question: Question, options: Namespace) -> int:
    """Print figures instead of the answers."""
    outcomes: list[RequestOutcome] = []
    try:
        outcomes.extend(
            ask(place, question, options, lambda event: None)
            for _ in range(options.repeat)
        )
    finally:
        if outcomes:
            print("\n".join(map(escape_unprintable, summarize(outcomes))))
    statuses = (outcome.exit_status for outcome in outcomes)
    return next(filter(None, statuses), EXIT_OK)


def ask(
    place: Place,
    question: Question,
    options: Namespace,
    show: Callable[[Event], None],
) -> RequestOutcome:
    """Ask once; `show` is given what the server says."""
    outcome = RequestOutcome()
    transcript = begin_transcript(place) if options.verbose else None
    began = time.monotonic()
    try:
        for side, events in exchange(place, question, within=options.timeout):
            if transcript:
                transcript.take(side, events, time.monotonic())
            for event in events if side is Side.SERVER else ():
                outcome.take(event)
                show(event)
        outcome.judge(options.expect)
    except PreforkError as error:
        outcome.problem, outcome.exit_status = str(error), error.exit_status
    finally:
        outcome.seconds = time.monotonic() - began
        if transcript:
            transcript.finish(time.monotonic())
    return outcome


def begin_transcript(place: Place) -> Transcript:
    """What is on the wire goes to stderr, as it happens."""
    colour = paint if sys.stderr.isatty() else leave_plain
    page = Page(sys.stderr.write, paint=colour)
    return Transcript("#1", f"{place.protocol} to {place.text}", page, patience=0)


def show_event(event: Event, *, with_head: bool) -> None:
    """Print the answer; what the application complains of goes to stderr."""
    match event:
        case Answered() if with_head:
            lines = [f"HTTP/1.1 {event.status} {event.reason}".rstrip()]
            lines += [f"{n}: {v}" for n, v in event.pairs if n.lower() != "status"]
            write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        case Data():
            write(event.payload)
        case Complaint():
            text = event.payload.decode("utf-8", "backslashreplace")
            for line in text.splitlines():
                print(f"stderr: {escape_unprintable(line)}", file=sys.stderr)


def write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        PROG,
        usage="%(prog)s [OPTION]... ADDRESS [PATH]",
        description="Ask a server, or a CGI program, and print the body of the answer.",
        epilog=with_examples(
            "Exit status: 0 answered, and as --expect says; 1 another status, or an "
            "answer that breaks off or cannot be understood; 2 used wrongly; 7 nobody "
            "is there; 28 not within --timeout.",
            "prefork request -i http://127.0.0.1:8000/",
            "prefork request fastcgi+unix:/run/app.sock '/report?year=2026'",
            "prefork request --expect 200 --timeout 2 unix:/run/app.sock /health",
            "prefork request --script /srv/www/index.php fastcgi+unix:/run/php.sock",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    add_arguments(parser)
    add = parser.add_argument
    add("-i", "--include", action="store_true", help="print the head as well")
    add(
        "-v", "--verbose", action="store_true", help="show the wire, decoded, on stderr"
    )
    add(
        "--expect",
        metavar="STATUS",
        type=_checked(parse_expectation),
        help="fail if it is another one: 200, 2xx, or 200,404",
    )
    add(
        "--repeat",
        metavar="N",
        type=_checked(whole(1).parse),
        default=1,
        help="ask so often, one after the other; print figures, not answers",
    )
    add(
        "--timeout",
        metavar="SECONDS",
        type=_checked(SOME_SECONDS.parse),
        default=10.0,
        help="for each request; default: 10",
    )
    return parser


def _checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """`parse`, with its reason in the error that argparse prints."""

    def parse_argument(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise ArgumentTypeError(str(error)) from None

    return parse_argument
