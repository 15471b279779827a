"""Take a running server over from the program that has served so far.

    python -P -m prefork.cli.adopt FD              the master becomes us
    python -P -m prefork.cli.adopt --rehearse FD   in a child of the master: could we?

FD holds the handover.  A rehearsal does all but serve, and prints our version.
"""

import os
import signal
import sys
from collections.abc import Sequence

from prefork import __version__
from prefork.errors import EXIT_OK, ConfigError
from prefork.system.processes import die_with


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until told to stop, or only rehearse it; return the exit status."""
    *flags, descriptor = sys.argv[1:] if argv is None else argv
    is_rehearsal = "--rehearse" in flags
    if is_rehearsal:  # lent to us are the listeners, which must not outlive the master
        die_with(os.getppid(), signal.SIGKILL)
    # Imported here, so that a program which hangs in that dies with the master, too.
    from prefork.cli.serve import adopt
    from prefork.master.handover import descriptors, read_handover

    try:
        state = read_handover(int(descriptor))
    except ConfigError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    os.close(int(descriptor))
    # They came through this exec, and go through no other: templates are started so.
    for fd in descriptors(state):
        os.set_inheritable(fd, False)
    run = adopt(state)
    if is_rehearsal:
        print(__version__)
        return EXIT_OK
    return run()


if __name__ == "__main__":
    sys.exit(main())
