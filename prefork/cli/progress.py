"""Prints how a reload, an upgrade or a stop goes on: a line a phase."""

import sys
from collections.abc import Iterable

from prefork.cli.calling import Fields
from prefork.errors import EXIT_REFUSED, CommandError
from prefork.monitor.escape import escape_unprintable

CLEAR_LINE = "\r\x1b[K"


def show(story: Iterable[Fields], wording: dict[str, str]) -> Fields:
    """Print each step, in the `wording` of its phase; return the last line, `done`.

    CommandError if the story breaks off.
    """
    screen = _Screen()
    for line in story:
        if line.get("done"):
            screen.end()
            return line
        phase: str = line["phase"]
        # A master of another version may have phases that we have no words for.
        words = wording.get(phase, phase)
        screen.show(phase, words.format_map(line))
    screen.end()
    raise CommandError("the master has ended in the middle of it")


class _Screen:
    """Shows what changes within a phase only where it can be written over."""

    def __init__(self) -> None:
        self._is_terminal = sys.stdout.isatty()
        self._phase = ""

    def show(self, phase: str, text: str) -> None:
        if self._is_terminal:
            print(self._begin(phase) + text, end="", flush=True)
        elif phase != self._phase:
            print(text, flush=True)
        self._phase = phase

    def _begin(self, phase: str) -> str:
        if phase == self._phase:
            return CLEAR_LINE
        return "\n" if self._phase else ""

    def end(self) -> None:
        if self._is_terminal and self._phase:
            print(flush=True)


def explain_failure(end: Fields, *, prog: str, what: str) -> int:
    """Print why it came to nothing; return the exit status that says so."""
    print(f"{prog}: {what}", file=sys.stderr)
    for line in str(end["text"]).splitlines():
        print(escape_unprintable(line), file=sys.stderr)
    return int(end["status"]) or EXIT_REFUSED
