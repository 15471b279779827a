"""Numbers as C reads them: strtol(3), and a narrow type of its result."""

BLANKS = " \t\n\v\f\r"  # isspace(3) in the C locale
DIGITS = "0123456789"
LONG_MAX = 2**63 - 1
ENOUGH = 25  # digits that make a number larger than LONG_MAX, in base 8 too


def parse_long(text: str, *, base: int = 10) -> tuple[int, str]:
    """Return the number at the beginning of `text`, and what follows it.

    Without a digit it is 0, and all of the text follows; too large a number becomes
    the largest (base 8 and 10 only, where no prefix needs to be understood).
    """
    unsigned = text.lstrip(BLANKS)
    sign = -1 if unsigned[:1] == "-" else 1
    if unsigned[:1] in ("+", "-"):
        unsigned = unsigned[1:]
    rest = unsigned.lstrip(DIGITS[:base])
    digits = unsigned[: len(unsigned) - len(rest)]
    if not digits:
        return 0, text
    number = sign * int(digits.lstrip("0")[:ENOUGH] or "0", base)
    return max(-LONG_MAX - 1, min(LONG_MAX, number)), rest


def wrap_unsigned(number: int, *, bits: int) -> int:
    """What is left of a number in an unsigned type of so many bits."""
    return number & (1 << bits) - 1


def wrap_int(number: int) -> int:
    """What is left of a number in an int."""
    return (number + 2**31) % 2**32 - 2**31
