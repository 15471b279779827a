"""Reports a system call that fails in the words of spawn-fcgi."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from prefork.errors import SystemRefusal


@contextmanager
def attempt(what: str) -> Iterator[None]:
    """Turn an OSError into a SystemRefusal: `what` failed, and the system's reason."""
    try:
        yield
    except OSError as error:
        raise SystemRefusal(f"{what}: {os.strerror(error.errno or 0)}") from error
