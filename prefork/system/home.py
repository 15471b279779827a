"""Home: the working directory, by the name that it was given.

A release is often switched by turning a link, `current`.  The kernel remembers
where the link led when we were started, and that is where a child begins.  $PWD
has the name: each generation goes there again, and so to the new release.
"""

import os

VARIABLE = "PWD"


def remember() -> None:
    """Leave the name to all children, unless what the shell left is another's."""
    name = os.environ.get(VARIABLE, "")
    if not _is_here(name):
        os.environ[VARIABLE] = os.getcwd()


def enter() -> None:
    """Go where the name leads now; OSError: it leads nowhere."""
    name = os.environ.get(VARIABLE, "")
    # If we are there nothing is asked of it: we may not be allowed to come again.
    if name and not _is_here(name):
        os.chdir(name)


def _is_here(name: str) -> bool:
    try:
        return bool(name) and os.path.samefile(name, ".")
    except OSError:
        return False
