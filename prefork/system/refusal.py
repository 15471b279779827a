"""Why the kernel does not execute a file that exists: what execve(2) means."""

import errno
import os

LONGEST_LINE = 256  # bytes; execve(2): of the interpreter script's first line


def explain_refusal(error: OSError, file: str | bytes) -> OSError:
    """The same error, in words that say what to look for."""
    reason = ""
    if error.errno == errno.ENOEXEC:
        reason = "it is no program of this machine, and its first line has no #!"
    elif error.errno == errno.ENOENT and os.path.exists(file):
        # "The file pathname or a script or ELF interpreter does not exist."
        reason = f"what it needs to run is not there: {_read_interpreter(file)}"
    return OSError(error.errno, reason, file) if reason else error


def _read_interpreter(file: str | bytes) -> str:
    """As it stands there, with the \\r that a file of Windows has at its end."""
    try:
        with open(file, "rb") as script:
            line = script.readline(LONGEST_LINE)
    except OSError:
        line = b""
    if not line.startswith(b"#!"):
        return "its ELF interpreter"
    return ascii(line[2:].strip(b" \t\n").decode("utf-8", "backslashreplace"))
