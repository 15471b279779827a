"""The patterns: what is in the words, and that no text makes them slow."""

import re

import pytest

from prefork.protocols import grammar

PATTERNS = {
    name: pattern
    for name, pattern in vars(grammar).items()
    if isinstance(pattern, re.Pattern)
}
# Not timed: a pattern that tries a text twice would take hours for these.
HOSTILE = [
    "a" * 20_000 + "\0",
    " " * 20_000 + "\0",
    "a;" * 10_000 + "\0",
    "1" + ";a=b" * 5_000 + "\0",
    "1" + " ; a" * 5_000 + ' = "' + "\\a" * 5_000,
    "1" + ';a="' * 5_000,
    "http://" + "a" * 20_000 + "\n",
    "1." * 10_000,
    "[" + ":" * 20_000,
    "%41" * 7_000 + "%",
]


@pytest.mark.parametrize("name", PATTERNS)
def test_no_group_is_possessive(name: str) -> None:
    """Python before 3.11.5, as Debian 12 has it, would match `5;a="b` with one."""
    pattern = re.sub(r"\[(?:\\.|[^]\\])+\]", "x", str(PATTERNS[name].pattern))
    assert not re.search(r"\)(?:[?*+]|\{[0-9,]+\})\+", pattern)


@pytest.mark.parametrize("name", PATTERNS)
def test_no_text_makes_a_pattern_slow(name: str) -> None:
    pattern = PATTERNS[name]
    for text in HOSTILE:
        subject = text if isinstance(pattern.pattern, str) else text.encode()
        pattern.fullmatch(subject)
        pattern.match(subject)


def test_only_plain_bytes_pass_in_a_head() -> None:
    for byte in range(256):
        is_plain = byte == 9 or 32 <= byte <= 126 or byte >= 128
        one = bytes([byte])
        assert one.translate(grammar.NOT_PLAIN_AS_NUL) == bytes([is_plain])
        assert bool(grammar.PLAIN_TEXT.fullmatch(chr(byte))) is is_plain
        assert bool(grammar.NOT_PLAIN.search(b"a" + one + b"b")) is not is_plain


@pytest.mark.parametrize(
    ("data", "found"),
    [(b"a\r\nb\r\n", False), (b"a\r", False), (b"a\nb", True), (b"\r\r\n", True)],
)
def test_crlf_is_the_only_line_end(data: bytes, found: bool) -> None:
    assert bool(grammar.NOT_PLAIN.search(data)) is found
