"""prefork reload: new code and configuration, or the reason why not."""

from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import add_choice, ask, choose, follow
from prefork.cli.progress import explain_failure, show
from prefork.cli.report import report
from prefork.errors import EXIT_OK, PreforkError
from prefork.monitor.figures import format_duration

PROG = "prefork reload"
INTERRUPTED = 130  # as a shell has it
WORDING = {
    "wait": "waiting for its turn",
    "upgraded": "the master is version {version} now",
    "check": "reading the configuration",
    "boot": "importing the application",
    "canary": "trying it on one worker",
    "roll": "replacing workers: {workers} of {wanted}",
    "commit": "all workers are new",
    "rollback": "going back to the old code",
}


def main(argv: Sequence[str]) -> int:
    """Reload, and wait for the result; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Load configuration and application anew.  If the new ones are "
        "broken, the old ones stay, and the reason is printed.",
        epilog="Exit status: 0 when the new code serves; 70 when the application is "
        "broken, 78 when the configuration is; 1 when there is no such master.",
        allow_abbrev=False,
    )
    parser.add_argument("--no-wait", action="store_true", help="ask for it only")
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        master = choose(options)
        if options.no_wait:
            ask(master, "reload")
            return EXIT_OK
        end = show(follow(master, "reload", wait=True), WORDING)
    except PreforkError as error:
        return report(error, prog=PROG)
    except KeyboardInterrupt:
        print("\nthe server goes on with it")
        return INTERRUPTED
    if end["status"]:
        phase = f" in phase {end['phase']}" if "phase" in end else ""
        return explain_failure(
            end, prog=PROG, what=f"failed{phase}; the old code goes on serving"
        )
    seconds = format_duration(end["seconds"])
    print(f"generation {end['generation']} serves, after {seconds}")
    return EXIT_OK
