"""No text from outside can end a line, or pass for something else."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.monitor.escape import (
    LONGEST_VALUE,
    escape_for_quotes,
    escape_unprintable,
    quote,
)

HOSTILE = [
    ("a\r\nFAKE", "a\\x0d\\x0aFAKE", "ends the line"),
    ("\x1b[2J", "\\x1b[2J", "clears the terminal"),
    ("a\0b", "a\\x00b", "ends a C string"),
    ("\x7f", "\\x7f", "deletes"),
    ("\x9b2J", "\\x9b2J", "is ESC [ in eight bits"),
    ("\x85", "\\x85", "is a line's end to Unicode"),
    ("\u2028", "\\u2028", "is one too"),
    ("\u202e", "\\u202e", "turns the direction of reading"),
    ("\U000e0001", "\\U000e0001", "is an invisible tag"),
    ("\ud800", "\\ud800", "cannot be encoded"),
]


@pytest.mark.parametrize(
    ("text", "escaped"), [row[:2] for row in HOSTILE], ids=[row[2] for row in HOSTILE]
)
def test_escapes_what_does_harm(text: str, escaped: str) -> None:
    assert escape_unprintable(text) == escaped
    assert quote(text) == f'"{escaped}"'
    assert escape_for_quotes(text) == escaped


@pytest.mark.parametrize(
    ("text", "quoted"),
    [
        ("plain/value:1,2", "plain/value:1,2"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "x"', '"say \\"x\\""'),
        ("C:\\dir", "C:\\dir"),
        ("C:\\a dir", '"C:\\\\a dir"'),
        ("é", "é"),
    ],
)
def test_quotes_a_value_when_it_must(text: str, quoted: str) -> None:
    assert quote(text) == quoted


def test_between_quotes_it_is_ascii_as_the_wire_had_it() -> None:
    assert escape_for_quotes('"\\') == '\\"\\\\'
    assert escape_for_quotes("é".encode().decode("latin-1")) == "\\xc3\\xa9"


def test_cuts_a_long_value_before_it_is_escaped() -> None:
    assert escape_for_quotes("x" * LONGEST_VALUE) == "x" * LONGEST_VALUE
    assert escape_for_quotes("x" * 5000) == "x" * LONGEST_VALUE + "..."
    assert escape_for_quotes("\n" * 5000) == "\\x0a" * LONGEST_VALUE + "..."


@given(st.text())
@settings(max_examples=50)
def test_any_text_stays_on_its_line_and_inside_its_quotes(text: str) -> None:
    assert escape_unprintable(text).isprintable()
    assert quote(text).isprintable()
    inside = escape_for_quotes(text)
    assert inside.isascii()
    assert inside.isprintable()
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
