"""What `prefork reload` and `prefork upgrade` share: ask, wait, and tell."""

from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import Fields, add_choice, ask, choose, follow
from prefork.cli.helping import Paragraphs
from prefork.cli.progress import explain_failure, show
from prefork.cli.report import report
from prefork.errors import EXIT_INTERRUPTED, EXIT_OK, PreforkError
from prefork.monitor.figures import format_duration

WORDING = {
    "wait": "waiting for its turn",
    "rehearse": "seeing whether the new program could take over from {version}",
    "upgraded": "the master is version {version} now",
    "check": "reading the configuration",
    "boot": "{loading}",
    "canary": "trying it on one worker",
    "roll": "replacing workers: {workers} of {wanted}",
    "commit": "all workers are new",
    "rollback": "going back to the old code",
}


def renew(argv: Sequence[str], *, verb: str, description: str, epilog: str) -> int:
    """Have a master do `verb`, and wait for the end; return the exit status."""
    prog = f"prefork {verb}"
    parser = ArgumentParser(
        prog,
        description=description,
        epilog=epilog,
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument("--no-wait", action="store_true", help="ask for it only")
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        master = choose(options)
        if options.no_wait:
            ask(master, verb)
            return EXIT_OK
        end = show(follow(master, verb, wait=True), WORDING)
    except PreforkError as error:
        return report(error, prog=prog)
    except KeyboardInterrupt:
        print("\nthe server goes on with it")
        return EXIT_INTERRUPTED
    if end["status"]:
        return explain_failure(end, prog=prog, what=_what_failed(verb, end))
    took = f", after {format_duration(end['seconds'])}" if "seconds" in end else ""
    print(f"generation {end['generation']} serves{took}")
    return EXIT_OK


def _what_failed(verb: str, end: Fields) -> str:
    phase = end.get("phase", "")
    if phase == "stop":
        return "given up"
    if phase == "rehearse":
        return "failed in phase rehearse; the old program goes on serving"
    upgraded = (
        "upgraded, but the reload after it " if verb == "upgrade" and phase else ""
    )
    where = f" in phase {phase}" if phase else ""
    return f"{upgraded}failed{where}; the old code goes on serving"
