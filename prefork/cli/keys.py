"""Keys as they are pressed; afterwards the terminal is as it was."""

import os
import re
import select
import sys
import termios
import tty

ARROWS = {b"A": "up", b"B": "down"}  # after ESC [, or ESC O
_KEY = re.compile(rb"\x1b[\[O]([\d;]*[@-~])|.", re.DOTALL)


class Keys:
    """Reads stdin for as long as its block lasts."""

    def __enter__(self) -> "Keys":
        self._fd = sys.stdin.fileno()
        self._typed = b""
        self._before = termios.tcgetattr(self._fd)
        tty.setcbreak(self._fd)
        return self

    def __exit__(self, *error: object) -> None:
        termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)

    def wait(self, seconds: float) -> str:
        """Wait so long for a key: a character, up, down, another, or "" if none.

        At the end of stdin it is q.
        """
        if not self._typed:
            if not select.select([self._fd], [], [], max(0.0, seconds))[0]:
                return ""
            self._typed = os.read(self._fd, 64) or b"q"
        found = _KEY.match(self._typed)
        assert found is not None
        self._typed = self._typed[found.end() :]
        if found[1]:
            return ARROWS.get(found[1], "another")
        return found[0].decode("latin-1")
