"""What each kind of setting accepts, refuses, and how it says so."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.settings import kinds
from prefork.settings.kinds import Kind, choice, or_word, whole

PORT = whole(1, 1024)
COLOUR = choice("red", "green")
MAYBE = or_word("automatic", kinds.SWITCH)

ACCEPTED = [
    (PORT, "7", 7),
    (PORT, 1024, 1024),
    (kinds.SECONDS, "2.5", 2.5),
    (kinds.SECONDS, 30, 30.0),
    (kinds.SECONDS, 0, 0.0),
    (kinds.SOME_SECONDS, "0.1", 0.1),
    (kinds.SIZE, "500", 500),
    (kinds.SIZE, "64K", 65536),
    (kinds.SIZE, "1g", 1 << 30),
    (kinds.SIZE, 0, 0),
    (kinds.OCTAL, "0660", 0o660),
    (kinds.OCTAL, "0o22", 0o22),
    (kinds.SWITCH, True, True),
    (kinds.SWITCH, "Off", False),
    (MAYBE, "automatic", None),
    (MAYBE, "no", False),
    (COLOUR, "red", "red"),
    (kinds.TEXT, "", ""),
    (kinds.REQUEST_PATH, "/health", "/health"),
    (kinds.REQUEST_PATH, "/health?of=db&deep=1", "/health?of=db&deep=1"),
    (kinds.REQUEST_PATH, "", ""),
    (whole(1), (1 << 31) - 1, (1 << 31) - 1),
    (kinds.SIZE, (1 << 63) - 1, (1 << 63) - 1),
    (kinds.ADDRESSES, ["unix:a"] * 127, ("unix:a",) * 127),
    (kinds.ITEMS, "a, b,,c", ("a", "b", "c")),
    (kinds.ITEMS, ["a,b", "c "], ("a,b", "c ")),
    (kinds.ITEMS, "", ()),
    (kinds.COUNTS, "500, 2000", (500, 2000)),
    (kinds.COUNTS, [500, "2000"], (500, 2000)),
    (kinds.COUNTS, 500, (500,)),
    (kinds.COUNTS, "", ()),
    (kinds.PAIRS, "A=1,2\nB=", ("A=1,2", "B=")),
    (kinds.PAIRS, {"A": "x=y"}, ("A=x=y",)),
    (kinds.NETWORKS, "10.0.0.0/8,unix,::1", ("10.0.0.0/8", "unix", "::1")),
]
REFUSED = [
    (PORT, "many", "'many' is not a whole number"),
    (PORT, "", "'' is not a whole number"),
    (PORT, True, "True is not a whole number"),
    (PORT, 1.5, "1.5 is not a whole number"),
    (PORT, [4], "[4] is not a whole number"),
    (PORT, "9" * 5000, f"'{'9' * 5000}' is not a whole number"),
    (PORT, 0, "0 is less than 1"),
    (PORT, "1025", "1025 is more than 1024"),
    (kinds.SECONDS, "soon", "'soon' is not a number of seconds"),
    (kinds.SECONDS, "nan", "'nan' is not a number of seconds"),
    (kinds.SECONDS, False, "False is not a number of seconds"),
    (kinds.SECONDS, "-1", "-1.0 is less than 0"),
    (kinds.SECONDS, "inf", "inf is more than 1000000"),
    (kinds.SOME_SECONDS, "0", "0 leaves no time at all"),
    (kinds.SIZE, "3Q", "'3Q' is not a size such as 500, 64K, 300M or 1G"),
    (kinds.SIZE, "K", "'K' is not a size such as 500, 64K, 300M or 1G"),
    (kinds.SIZE, -1, "-1 is not a size such as 500, 64K, 300M or 1G"),
    (kinds.SIZE, 1.5, "1.5 is not a size such as 500, 64K, 300M or 1G"),
    (kinds.OCTAL, 660, '660 is not an octal mode in quotes, such as "0660"'),
    (kinds.OCTAL, "0999", "'0999' is not an octal mode in quotes, such as \"0660\""),
    (kinds.OCTAL, "1777", "'1777' is not an octal mode in quotes, such as \"0660\""),
    (kinds.SWITCH, "maybe", "'maybe' is neither true nor false"),
    (kinds.SWITCH, 1, "1 is neither true nor false"),
    (MAYBE, "perhaps", "'perhaps' is neither true nor false"),
    (COLOUR, "blue", "'blue' is none of red, green"),
    (COLOUR, ["red"], "['red'] is none of red, green"),
    (kinds.TEXT, 5, "5 is not text in quotes"),
    (kinds.TEXT, "a\0b", r"'a\x00b' contains a NUL"),
    (kinds.REQUEST_PATH, "health", "'health' does not begin with a slash"),
    (kinds.REQUEST_PATH, "/a b", "' ' has to be written as in a URL, %20"),
    (kinds.REQUEST_PATH, "/a\r\nb", r"'\r' has to be written as in a URL, %0D"),
    (kinds.REQUEST_PATH, "/€", "'€' has to be written as in a URL, %E2%82%AC"),
    (kinds.REQUEST_PATH, "/\udcff", r"'\udcff' has to be written as in a URL, %FF"),
    (kinds.REQUEST_PATH, "/" + "a" * 4096, "it is longer than 4096 bytes"),
    (whole(1), 1 << 31, "2147483648 is more than 2147483647"),
    (kinds.COUNTS, [1 << 31], "2147483648 is more than 2147483647"),
    (kinds.SIZE, 1 << 63, "9223372036854775808 is more than 9223372036854775807"),
    (kinds.SIZE, "8388608T", "9223372036854775808 is more than 9223372036854775807"),
    (kinds.ADDRESSES, ["unix:a"] * 128, "128 addresses: 127 at most"),
    (kinds.ITEMS, 5, "5 is neither text nor a list of texts"),
    (kinds.ITEMS, ["a", 5], "5 is not text in quotes"),
    (kinds.ADDRESSES, [], "there is no address in it"),
    (kinds.COUNTS, "500;2000", "'500;2000' is not a whole number"),
    (kinds.COUNTS, [500, 0], "0 is less than 1"),
    (kinds.COUNTS, True, "'True' is not a whole number"),
    (kinds.COUNTS, 1.5, "1.5 is neither a whole number nor a list of them"),
    (kinds.PAIRS, ["A"], "'A' is not KEY=VALUE"),
    (kinds.PAIRS, ["=1"], "'=1' is not KEY=VALUE"),
    (kinds.PAIRS, {"A": 1}, "1 is not text in quotes"),
    (kinds.NETWORKS, "all", "'all' does not appear to be an IPv4 or IPv6 network"),
    (kinds.NETWORKS, "10.0.0.1/8", "10.0.0.1/8 has host bits set"),
]
WRITTEN = [
    (kinds.SIZE, 65536, "64K"),
    (kinds.SIZE, 1 << 30, "1G"),
    (kinds.SIZE, 8190, "8190"),
    (kinds.SIZE, 0, "0"),
    (kinds.SECONDS, 30.0, "30"),
    (kinds.SECONDS, 1_000_000.0, "1000000"),
    (kinds.OCTAL, 0o22, "0022"),
    (kinds.SWITCH, True, "true"),
    (MAYBE, None, "automatic"),
    (kinds.ITEMS, ("a", "b"), "a,b"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), ACCEPTED)
def test_accepts(kind: Kind[object], value: object, expected: object) -> None:
    parsed = kind.parse(value)
    assert (parsed, type(parsed)) == (expected, type(expected))


@pytest.mark.parametrize(("kind", "value", "reason"), REFUSED)
def test_refuses(kind: Kind[object], value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        kind.parse(value)


@pytest.mark.parametrize(("kind", "value", "text"), WRITTEN)
def test_writes_a_value_as_an_operator_would(
    kind: Kind[object], value: object, text: str
) -> None:
    assert kind.format(value) == text


@settings(max_examples=50)
@given(st.integers(0, 1 << 50))
def test_a_size_that_was_written_is_read_back(size: int) -> None:
    assert kinds.SIZE.parse(kinds.SIZE.format(size)) == size


@settings(max_examples=50)
@given(st.text(max_size=8))
def test_text_is_accepted_or_refused_but_breaks_nothing(text: str) -> None:
    every = [kind for kind in vars(kinds).values() if isinstance(kind, Kind)]
    for kind in [*every, PORT, COLOUR, MAYBE]:
        try:
            value = kind.parse(text)
        except ValueError:
            continue
        assert kind.parse(kind.format(value)) == value
