"""What a program writes to stdout or stderr, a line at a time, for the log."""

import os
from collections.abc import Callable

LONGEST_LINE = 8192  # bytes; of a longer one each piece is a line
AT_ONCE = 65536  # bytes: then whoever else has something to say is heard


class Output:
    """Reads our end of a pipe; `say` is given each line."""

    def __init__(self, fd: int, say: Callable[[str], object]) -> None:
        self._fd = fd
        self._say = say
        self._unfinished = b""

    def read(self) -> bool:
        """Take what is there, up to a limit; False at the end of it."""
        return self._take() != b""

    def finish(self) -> None:
        """Take all that is there, and the line without an end."""
        while self._take():
            pass
        if self._unfinished:
            self._tell(self._unfinished)
        self._unfinished = b""

    def _take(self) -> bytes | None:
        """What was read; None: nothing for now."""
        try:
            data = os.read(self._fd, AT_ONCE)
        except BlockingIOError:
            return None
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        for line in lines:
            self._tell(line)
        while len(self._unfinished) >= LONGEST_LINE:
            self._tell(self._unfinished[:LONGEST_LINE])
            self._unfinished = self._unfinished[LONGEST_LINE:]
        return data

    def _tell(self, line: bytes) -> None:
        for start in range(0, max(len(line), 1), LONGEST_LINE):
            piece = line[start : start + LONGEST_LINE]
            self._say(piece.rstrip(b"\r").decode("utf-8", "backslashreplace"))
