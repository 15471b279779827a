"""prefork list: the masters that would listen to this user."""

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import Fields, RunningMaster, ask, find_masters
from prefork.cli.helping import Paragraphs, with_examples
from prefork.errors import EXIT_OK, CommandError
from prefork.monitor.figures import format_duration, format_table

PROG = "prefork list"
HEAD = ("PID", "NAME", "STATE", "WORKERS", "GENERATION", "UPTIME", "LISTENING ON")


def main(argv: Sequence[str]) -> int:
    """Print a line for each master; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="List the masters that would listen to this user, who has to be "
        "theirs, or root.  One that was given a path as --control is not found.",
        epilog=with_examples(
            "Exit status: 0, also when there is none.",
            "prefork list",
        ),
        formatter_class=Paragraphs,
        allow_abbrev=False,
    )
    parser.parse_args(argv)
    if not (masters := find_masters()):
        print("no master runs that listens to this user", file=sys.stderr)
        return EXIT_OK
    rows = [_row(master) for master in masters]
    print(format_table(HEAD, rows, right=("PID", "WORKERS", "GENERATION", "UPTIME")))
    return EXIT_OK


def _row(master: RunningMaster) -> tuple[str, ...]:
    try:
        return _format_row(master.pid, ask(master, "status"))
    except CommandError as error:
        return (str(master.pid), str(error), "", "", "", "", "")


def _format_row(pid: int, status: Fields) -> tuple[str, ...]:
    """`pid` is what --pid takes: in a container the master has another one."""
    workers = status["workers"]
    return (
        str(pid),
        status["name"],
        status["state"],
        f"{workers['serving']}/{workers['scale']}",
        str(status["generation"]),
        format_duration(status["uptime"]),
        " ".join(bind["url"] for bind in status["binds"]),
    )
