"""What a program is not ready to read yet: a queue of bytes outside of memory.

Some clients read nothing before they have sent everything, and a program may read
nothing while what it writes is not taken.  Between these two something has to give.
"""

from os import ftruncate, pread, pwrite
from typing import BinaryIO


class Spool:
    """A queue of bytes in `file`, which is its own to close."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._read = self._written = 0  # offsets in the file; both 0 when it is empty

    @property
    def is_empty(self) -> bool:
        return self._read == self._written

    def add(self, data: bytes) -> None:
        """Append to the queue; OSError: there is no room."""
        view = memoryview(data)
        while view:
            count = pwrite(self._file.fileno(), view, self._written)
            self._written += count
            view = view[count:]

    def take(self, most: int) -> bytes:
        """The next bytes, `most` of them at most."""
        # One call gives them all, since it is a regular file that only we write.
        count = min(most, self._written - self._read)
        data = pread(self._file.fileno(), count, self._read)
        self._read += len(data)
        if self.is_empty:
            self._read = self._written = 0
            ftruncate(self._file.fileno(), 0)
        return data

    def close(self) -> None:
        self._file.close()
