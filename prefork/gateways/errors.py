"""`wsgi.errors` that the front end's log gets as well as ours."""

from collections.abc import Callable, Iterable
from typing import TextIO

LONGEST_UNFINISHED = 8192  # characters that wait for the end of their line


class SharedErrors:
    """A text stream for one request: whole lines, or what is flushed.

    `tell` takes bytes for the front end, each call a message in its log.
    """

    def __init__(self, ours: TextIO, tell: Callable[[bytes], None]) -> None:
        self._ours = ours
        self._tell = tell
        self._line = ""

    def write(self, text: str) -> int:
        self._ours.write(text)
        lines, end, self._line = (self._line + text).rpartition("\n")
        if end:
            self._send(lines + end)
        if len(self._line) > LONGEST_UNFINISHED:
            self._send_line()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._ours.flush()
        self._send_line()

    def _send_line(self) -> None:
        line, self._line = self._line, ""
        if line:
            self._send(line)

    def _send(self, text: str) -> None:
        self._tell(text.encode(errors="backslashreplace"))
