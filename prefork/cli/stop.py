"""prefork stop: answer what was accepted, then end."""

import os
import select
from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import Fields, RunningMaster, add_choice, ask, choose, follow
from prefork.cli.helping import Paragraphs, with_examples
from prefork.cli.progress import explain_failure, show
from prefork.cli.report import report
from prefork.errors import EXIT_INTERRUPTED, EXIT_OK, PreforkError

PROG = "prefork stop"
LAST_STEPS = 5.0  # seconds from the last word to the end of the process
WORDING = {"stop": "{workers} workers to go{busy}"}


def main(argv: Sequence[str]) -> int:
    """Stop a server, and wait for its end; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Stop: every connection that was accepted or is queued is "
        "answered, within --graceful-timeout of the server.",
        epilog=with_examples(
            "Exit status: 0 when all were answered, 75 when requests were cut, 1 "
            "when there is no such master.",
            "prefork stop",
            "prefork stop --quick --pid 812",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--quick", action="store_true", help="leave half a second to requests; again: 0"
    )
    parser.add_argument("--no-wait", action="store_true", help="ask for it only")
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        master = choose(options)
        if options.no_wait:
            ask(master, "stop", quick=options.quick)
            return EXIT_OK
        return _stop(master, quick=options.quick)
    except PreforkError as error:
        return report(error, prog=PROG)
    except KeyboardInterrupt:
        print("\nthe server goes on with it")
        return EXIT_INTERRUPTED


def _stop(master: RunningMaster, *, quick: bool) -> int:
    """Its pid file and ports are free when this returns."""
    process = _open_process(master.pid)
    story = follow(master, "stop", quick=quick, wait=True)
    end = show(map(_word_busy, story), WORDING)
    if process is not None:
        poll = select.poll()
        poll.register(process, select.POLLIN)
        poll.poll(LAST_STEPS * 1000)
        os.close(process)
    if end["status"]:
        return explain_failure(end, prog=PROG, what="stopped, but not all is well")
    print("stopped")
    return EXIT_OK


def _word_busy(line: Fields) -> Fields:
    """Word how many are busy, which is not known of programs that are kept."""
    busy = line.get("busy")
    return line | {"busy": "" if busy is None else f", {busy} busy"}


def _open_process(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None  # of another pid namespace, or gone already
