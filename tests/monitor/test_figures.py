"""prefork.monitor.figures: as a person would write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.monitor.figures import (
    draw_bar,
    draw_sparkline,
    format_count,
    format_duration,
    format_share,
    format_size,
    format_table,
)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0, "0 s"),
        (0.0000123, "0.0123 ms"),
        (0.0042, "4.2 ms"),
        (0.999, "999 ms"),
        (0.9999, "1.0 s"),
        (1.26, "1.3 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (90, "1 min 30 s"),
        (3599.7, "1 h 0 min"),
        (7380, "2 h 3 min"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@given(st.floats(0, 1e9))
def test_every_duration_is_short(seconds: float) -> None:
    assert len(format_duration(seconds)) <= 13


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (15_500_000, "15.5 MB"),
        (999_600_000, "1 GB"),
        (5e15, "5e+03 TB"),
    ],
)
def test_sizes(size: float | None, text: str) -> None:
    assert format_size(size) == text


@pytest.mark.parametrize(
    ("number", "text"), [(0, "0.0"), (3.44, "3.4"), (210, "210"), (12345.6, "12 346")]
)
def test_counts(number: float, text: str) -> None:
    assert format_count(number) == text


def test_shares() -> None:
    assert [format_share(share) for share in (None, 0, 0.424, 1)] == [
        "-",
        "0 %",
        "42 %",
        "100 %",
    ]


def test_a_table_is_aligned() -> None:
    rows = [("1", "short", "x"), ("100", "much longer", "y")]
    assert format_table(("N", "NAME", "LAST"), rows, right=("N",)).splitlines() == [
        "  N  NAME         LAST",
        "  1  short        x",
        "100  much longer  y",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert format_table(("A", "B"), []) == "A  B"


def test_what_is_in_a_table_cannot_disturb_the_terminal() -> None:
    assert "\x1b" not in format_table(("A",), [("\x1b[2Jgone",)])


@pytest.mark.parametrize(
    ("share", "bar"),
    [(0, "░░░░"), (0.5, "██░░"), (1, "████"), (7, "████"), (-1, "░░░░")],
)
def test_bars(share: float, bar: str) -> None:
    assert draw_bar(share, 4) == bar


@pytest.mark.parametrize(
    ("values", "line"),
    [
        ([], ""),
        ([0, 0], "▁▁"),
        ([1, 2, 4, 8], "▁▂▄█"),
        ([9, 9, 9, 9, 9], "████"),
    ],
)
def test_sparklines(values: list[float], line: str) -> None:
    assert draw_sparkline(values, 4) == line
