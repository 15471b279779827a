"""The table of front ends, protocols and tests: what came of them all.

It fits 100 columns: a column is a letter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from string import ascii_lowercase, digits

WIDTH = 2
LETTERS = ascii_lowercase + digits  # of notes
PASSED, FAILED = "+", "F"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one test behind one front end."""

    make: str
    protocol: str
    transport: str
    test: str
    is_ok: bool = True
    lack: str = ""  # why it is not to be expected of this front end


def format_matrix(outcomes: Iterable[Outcome]) -> Iterator[str]:
    """The lines of the table, then those that explain its letters."""
    cells: dict[tuple[str, str], dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        column = cells.setdefault((outcome.make, outcome.protocol), {})
        column.setdefault(outcome.test, []).append(outcome)
    tests = list(dict.fromkeys(test for column in cells.values() for test in column))
    margin = max(map(len, tests), default=0) + 2
    widths = _find_widths([make for make, _ in cells])
    notes: list[str] = []
    yield " " * margin + _format_row(dict.fromkeys(make for make, _ in cells), widths)
    yield " " * margin + _format_groups([key[1][0] for key in cells], widths)
    for test in tests:
        marks = [_mark(column.get(test, []), notes) for column in cells.values()]
        yield test.ljust(margin) + _format_groups(marks, widths)
    protocols = dict.fromkeys(protocol for _, protocol in cells)
    yield ", ".join(f"{each[0]}: {each}" for each in protocols)
    yield f"{PASSED}: as it should be, over unix sockets and TCP; {FAILED}: failed"
    for letter, note in zip(LETTERS, notes, strict=False):
        yield f"{letter}: not applicable, the front end {note}"


Widths = list[tuple[int, int]]  # of each make: columns, and characters for all of them


def _find_widths(makes: list[str]) -> Widths:
    groups = [(make, len(list(group))) for make, group in groupby(makes)]
    return [(count, max(count * WIDTH, len(make)) + 1) for make, count in groups]


def _format_row(words: Iterable[str], widths: Widths) -> str:
    pairs = zip(words, widths, strict=True)
    return "".join(word.ljust(width) for word, (_, width) in pairs).rstrip()


def _format_groups(marks: list[str], widths: Widths) -> str:
    """One mark for each column, those of a make together."""
    groups, at = [], 0
    for count, _ in widths:
        group = marks[at : at + count]
        groups.append("".join(mark.ljust(WIDTH) for mark in group))
        at += count
    return _format_row(groups, widths)


def _mark(outcomes: list[Outcome], notes: list[str]) -> str:
    """One letter for both transports."""
    if not all(outcome.is_ok for outcome in outcomes):
        return FAILED
    lacking = [outcome for outcome in outcomes if outcome.lack]
    if not lacking:
        return PASSED if outcomes else ""
    note = lacking[0].lack
    if {each.transport for each in outcomes} != {each.transport for each in lacking}:
        note += f" ({lacking[0].transport})"
    if note not in notes:
        notes.append(note)
    return LETTERS[notes.index(note)]
