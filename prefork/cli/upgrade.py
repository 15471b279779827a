"""prefork upgrade: the program that is installed now takes over."""

from collections.abc import Sequence

from prefork.cli.helping import with_examples
from prefork.cli.renewal import renew


def main(argv: Sequence[str]) -> int:
    """Upgrade, then reload, and wait for the result; return the exit status."""
    return renew(
        argv,
        verb="upgrade",
        description="Let a server become the prefork that is installed now: the same "
        "processes, sockets and files, no request lost.  The new program rehearses "
        "it first; if that fails nothing changes, and the reason is printed.  Then "
        "reload, so that workers run it too; SIGUSR2 upgrades without.",
        epilog=with_examples(
            "Exit status: 0 when the new program serves; 70 when it, or the "
            "application, is broken; 78 when it cannot take over from this version, or "
            "the configuration is wrong; 1 when there is no such master.",
            "pip install --upgrade prefork && prefork upgrade",
        ),
    )
