"""prefork reload: new code and configuration, or the reason why not."""

from collections.abc import Sequence

from prefork.cli.helping import with_examples
from prefork.cli.renewal import renew


def main(argv: Sequence[str]) -> int:
    """Reload, and wait for the result; return the exit status."""
    return renew(
        argv,
        verb="reload",
        description="Load configuration and application anew.  If the new ones are "
        "broken, the old ones stay, and the reason is printed.",
        epilog=with_examples(
            "Exit status: 0 when the new code serves; 70 when the application is "
            "broken, 78 when the configuration is; 1 when there is no such master.",
            "git pull && prefork reload --pidfile /run/app.pid",
        ),
    )
