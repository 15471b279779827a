"""Tables for a terminal and for Markdown."""

from versus.table import format_markdown, format_plain

HEAD = ("", "one", "two")
ROWS = [("first event", "well", "what was seen takes two lines")]


def test_cells_wrap_to_the_width_of_the_terminal() -> None:
    assert format_plain(HEAD, ROWS, width=48).splitlines() == [
        "               │ one            │ two",
        "───────────────┼────────────────┼───────────────",
        "first event    │ well           │ what was seen",
        "               │                │ takes two",
        "               │                │ lines",
        "───────────────┼────────────────┼───────────────",
    ]


def test_a_row_is_a_line_of_markdown() -> None:
    assert format_markdown(HEAD, ROWS).splitlines() == [
        "|  | one | two |",
        "| --- | --- | --- |",
        "| first event | well | what was seen takes two lines |",
    ]
