"""prefork upgrade: the program that is installed now takes over."""

from argparse import ArgumentParser
from collections.abc import Sequence

from prefork.cli.calling import add_choice, ask, choose, follow
from prefork.cli.progress import explain_failure, show
from prefork.cli.reload import INTERRUPTED
from prefork.cli.reload import WORDING as RELOAD
from prefork.cli.report import report
from prefork.errors import EXIT_OK, PreforkError

PROG = "prefork upgrade"
WORDING = {
    **RELOAD,
    "rehearse": "seeing whether the new program could take over from {version}",
}


def main(argv: Sequence[str]) -> int:
    """Upgrade, then reload, and wait for the result; return the exit status."""
    parser = ArgumentParser(
        PROG,
        description="Let a server become the prefork that is installed now: the same "
        "processes, sockets and files, no request lost.  The new program rehearses "
        "it first; if that fails nothing changes, and the reason is printed.  Then "
        "reload, so that workers run it too; SIGUSR2 upgrades without.",
        epilog="Exit status: 0 when the new program serves; 70 when it, or the "
        "application, is broken; 78 when it cannot take over from this version, or "
        "the configuration is wrong; 1 when there is no such master.",
        allow_abbrev=False,
    )
    parser.add_argument("--no-wait", action="store_true", help="ask for it only")
    add_choice(parser)
    options = parser.parse_args(argv)
    try:
        master = choose(options)
        if options.no_wait:
            ask(master, "upgrade")
            return EXIT_OK
        end = show(follow(master, "upgrade", wait=True), WORDING)
    except PreforkError as error:
        return report(error, prog=PROG)
    except KeyboardInterrupt:
        print("\nthe server goes on with it")
        return INTERRUPTED
    if not end["status"]:
        print(f"generation {end['generation']} serves")
        return EXIT_OK
    kept = "program" if end.get("phase") == "rehearse" else "code"
    what = f"failed in phase {end.get('phase')}; the old {kept} goes on serving"
    return explain_failure(end, prog=PROG, what=what)
