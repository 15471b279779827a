"""stdout of a command: a line that cannot be written ends it."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from prefork.errors import CommandError, SeenEnough

STDOUT = 1
CLOSED = -1  # not 1, which the next file to be opened gets


@contextmanager
def attentive() -> Iterator[None]:
    """Within it stdout is flushed at each line; one that fails is a CommandError.

    SeenEnough, which is one, if whoever has read so far has left.
    """
    before = sys.stdout
    if before is sys.__stdout__:  # if not, it was redirected within Python
        sys.stdout = _open(before)
    try:
        yield
        sys.stdout.flush()
    finally:
        sys.stdout = before


def _open(before: TextIO | None) -> TextIO:
    raw = _Descriptor(CLOSED if before is None else STDOUT)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=before.encoding if before else None,
        errors=_errors(before),
        line_buffering=True,
    )


def _errors(before: TextIO | None) -> str:
    """Characters that a terminal does not have are escaped, and never an error."""
    errors = before.errors if before else None
    return "backslashreplace" if errors in (None, "strict") else errors


class _Descriptor(io.RawIOBase):
    """Raises at the first failure only; what is flushed after it is dropped."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._has_complained = False

    def fileno(self) -> int:
        return self._fd

    def isatty(self) -> bool:
        return os.isatty(self._fd)

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        if self._has_complained:
            return len(data)
        try:
            return os.write(self._fd, data)
        except OSError as error:
            self._has_complained = True
            if isinstance(error, BrokenPipeError):
                raise SeenEnough from None
            reason = (error.strerror or str(error)).lower()
            raise CommandError(f"cannot write to stdout: {reason}") from None
