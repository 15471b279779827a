"""A table for a terminal, whose cells wrap, or for Markdown."""

import textwrap
from collections.abc import Sequence

NARROWEST = 14  # characters
Row = Sequence[str]


def format_plain(head: Row, rows: Sequence[Row], *, width: int) -> str:
    each = max(NARROWEST, (width - 3 * (len(head) - 1)) // len(head))
    rule = "─┼─".join("─" * each for _ in head)
    parts = [_wrap(head, each), rule]
    for row in rows:
        parts += [_wrap(row, each), rule]
    return "\n".join(parts)


def _wrap(row: Row, each: int) -> str:
    cells = [textwrap.wrap(cell, each) or [""] for cell in row]
    height = max(map(len, cells))
    return "\n".join(
        " │ ".join(
            (cell[line] if line < len(cell) else "").ljust(each) for cell in cells
        ).rstrip()
        for line in range(height)
    )


def format_markdown(head: Row, rows: Sequence[Row]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
