"""The table of front ends, protocols and tests: what came of them all."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

SHORT = {"fastcgi": "fcgi"}
WIDTH = 6


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
    """The lines of the table, then those of its notes."""
    cells: dict[tuple[str, str], dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        column = cells.setdefault((outcome.make, outcome.protocol), {})
        column.setdefault(outcome.test, []).append(outcome)
    tests = list(dict.fromkeys(test for column in cells.values() for test in column))
    margin = max(map(len, tests), default=0) + 2
    notes: list[str] = []
    yield " " * margin + _format_makes([make for make, _ in cells])
    yield " " * margin + _format_row(SHORT.get(each, each) for _, each in cells)
    for test in tests:
        marks = (_mark(column.get(test, []), notes) for column in cells.values())
        yield test.ljust(margin) + _format_row(marks)
    for number, note in enumerate(notes, 1):
        yield f"  {number:2}  not applicable: the front end {note}"


def _format_makes(makes: list[str]) -> str:
    """Each above the first of its columns."""
    words, before = [], ""
    for make in makes:
        words.append("" if make == before else make)
        before = make
    return _format_row(words)


def _format_row(words: Iterable[str]) -> str:
    return "".join(word.ljust(WIDTH) for word in words).rstrip()


def _mark(outcomes: list[Outcome], notes: list[str]) -> str:
    """One word for both transports."""
    if not all(outcome.is_ok for outcome in outcomes):
        return "FAIL"
    lacking = [outcome for outcome in outcomes if outcome.lack]
    if not lacking:
        return "ok" if outcomes else ""
    note = lacking[0].lack
    if {each.transport for each in outcomes} != {each.transport for each in lacking}:
        note += f" ({lacking[0].transport})"
    if note not in notes:
        notes.append(note)
    return str(notes.index(note) + 1)
