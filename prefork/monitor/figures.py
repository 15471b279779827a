"""Figures for people: durations, sizes, tables, bars and sparklines."""

from collections.abc import Collection, Sequence

from prefork.monitor.escape import escape_unprintable

UNITS = (("d", 86400), ("h", 3600), ("min", 60))
SPARKS = "▁▂▃▄▅▆▇█"
GAP = "  "


def format_duration(seconds: float | None) -> str:
    """Write 90 seconds as `1 min 30 s`, 0.0042 as `4.2 ms`, None as a dash."""
    if seconds is None:
        return "-"
    if seconds < 0.9995:
        return f"{seconds * 1000:.3g} ms" if seconds else "0 s"
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    left = round(seconds)
    for (big, size), (small, part) in zip(UNITS, (*UNITS[1:], ("s", 1)), strict=True):
        if left >= size:
            return f"{left // size} {big} {left % size // part} {small}"
    raise AssertionError("a minute is the least of units")


def format_size(size: float | None) -> str:
    """Write 1234567 bytes as `1.2 MB`, None as a dash."""
    if size is None:
        return "-"
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"


def format_count(number: float) -> str:
    """Write a rate: `3.4`, `210`, `12 345`."""
    return f"{number:.1f}" if number < 99.95 else f"{number:,.0f}".replace(",", " ")


def format_share(share: float | None) -> str:
    """Write 0.42 as `42 %`, None as a dash."""
    return "-" if share is None else f"{share * 100:.0f} %"


def format_table(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Collection[str] = ()
) -> str:
    """Align columns, those named in `right` to the right; what is in it is escaped."""
    lines = [list(head), *([escape_unprintable(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        GAP.join(
            cell.rjust(width) if name in right else cell.ljust(width)
            for name, cell, width in zip(head, line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def draw_bar(share: float, width: int) -> str:
    """Draw how much of it is full."""
    full = round(max(0.0, min(share, 1.0)) * width)
    return "█" * full + "░" * (width - full)


def draw_sparkline(values: Sequence[float], width: int) -> str:
    """Draw the last `width` values, the highest of them as a full block."""
    shown = values[-width:]
    top = max(shown, default=0.0) or 1.0
    return "".join(SPARKS[min(7, int(value / top * 7.999))] for value in shown)
