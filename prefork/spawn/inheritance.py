"""What the program inherits, as if there were no Python in between."""

import os
import signal

COERCED = "LC_CTYPE"


def restore() -> None:
    """Undo what the interpreter has done to this process on its way here."""
    _restore_signals()
    _restore_locale()


def _restore_signals() -> None:
    # Python ignores these two, and an ignored signal stays so in what is executed.
    # Whether they were ignored before, nobody can tell any more.
    for number in signal.SIGPIPE, signal.SIGXFSZ:
        signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ^C ends us without a traceback


def _restore_locale() -> None:
    # PEP 538: in the C locale the interpreter sets LC_CTYPE for itself and for what
    # it executes.  The kernel still has the environment as it was (proc(5)).
    try:
        with open("/proc/self/environ", "rb") as file:
            given = file.read().split(b"\0")
    except OSError:
        return
    name = os.fsencode(COERCED) + b"="
    values = [line.removeprefix(name) for line in given if line.startswith(name)]
    if values:
        os.putenv(COERCED, values[0])
    else:
        os.unsetenv(COERCED)
