"""Keys as they are pressed; afterwards the terminal is as it was."""

import os
import select
import sys
import termios
import tty

ARROWS = {b"\x1b[A": "up", b"\x1b[B": "down", b"\x1bOA": "up", b"\x1bOB": "down"}


class Keys:
    """Reads stdin for as long as its block lasts."""

    def __enter__(self) -> "Keys":
        self._fd = sys.stdin.fileno()
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)
        return self

    def __exit__(self, *error: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> str:
        """Wait so long for a key: a character, up or down; "" if none comes."""
        if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
            return ""
        data = os.read(self._fd, 8)
        return ARROWS.get(data) or data[:1].decode("latin-1") or "q"  # its end: quit
