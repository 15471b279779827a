"""Options among operands, as glibc finds them: compared with glibc itself."""

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.spawn.getopt import OPERAND, OptionError, scan

LETTERS = "ab:?n"

libc = ctypes.CDLL(None)


def read(*arguments: str, permute: bool = True) -> list[tuple[str, str]]:
    words = {"--strict"}
    return list(scan(arguments, letters=LETTERS, words=words, permute=permute))


def scan_until_refused(
    arguments: list[str], *, permute: bool
) -> list[tuple[str, str | None]]:
    """Ours, with "?" for what is refused."""
    found: list[tuple[str, str | None]] = []
    try:
        for each in scan(arguments, letters=LETTERS, words=set(), permute=permute):
            found.append(each)
            if each[0] == "?":
                return found
    except OptionError:
        found.append(("?", ""))
    return found


def scan_with_glibc(
    arguments: list[str], *, permute: bool
) -> list[tuple[str, str | None]]:
    """The same by getopt(3); it tells both an error and -? by a question mark."""
    words = [b"program", *(argument.encode() for argument in arguments)]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    optarg = ctypes.c_char_p.in_dll(libc, "optarg")
    optind = ctypes.c_int.in_dll(libc, "optind")
    ctypes.c_int.in_dll(libc, "opterr").value = 0  # say nothing
    optind.value = 0  # begin anew
    letters = ("" if permute else "+") + LETTERS
    found: list[tuple[str, str | None]] = []
    while (code := libc.getopt(len(words), argv, letters.encode())) != -1:
        found.append((chr(code), (optarg.value or b"").decode()))
        if code == ord("?"):
            return found
    rest = [argv[number] for number in range(optind.value, len(words))]
    return found + [(OPERAND, operand.decode()) for operand in rest]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                ["-", "--", "-a", "-b", "-bx", "-nb", "x", "", "-b-", "--a"]
            ),
            st.text("ab-n:?zé", max_size=4),
        ),
        max_size=6,
    ),
    st.booleans(),
)
def test_finds_what_glibc_finds(arguments: list[str], permute: bool) -> None:
    ours = scan_until_refused(arguments, permute=permute)
    assert ours == scan_with_glibc(arguments, permute=permute)


def test_options_may_follow_operands() -> None:
    assert read("app", "-a", "x") == [("a", ""), ("", "app"), ("", "x")]


def test_without_permuting_the_first_operand_ends_the_options() -> None:
    assert read("-n", "app", "-a", permute=False) == [
        ("n", ""),
        ("", "app"),
        ("", "-a"),
    ]


def test_two_hyphens_end_the_options() -> None:
    assert read("--", "-a", "--") == [("", "-a"), ("", "--")]


def test_an_argument_may_look_like_an_option() -> None:
    assert read("-b", "-1", "-b", "--") == [("b", "-1"), ("b", "--")]


def test_a_word_is_an_option_where_a_letter_could_be() -> None:
    assert read("app", "--strict") == [("--strict", ""), ("", "app")]
    assert read("-b", "--strict") == [("b", "--strict")]
    assert read("--", "--strict") == [("", "--strict")]


@pytest.mark.parametrize(
    ("argument", "refusal"),
    [
        ("-x", "invalid option -- 'x'"),
        ("-nx", "invalid option -- 'x'"),
        ("-:", "invalid option -- ':'"),
        ("--other", "invalid option -- '-'"),
        ("--strict=1", "invalid option -- '-'"),
        ("-b", "option requires an argument -- 'b'"),
        ("-ab", "option requires an argument -- 'b'"),
    ],
)
def test_refuses_in_the_words_of_glibc(argument: str, refusal: str) -> None:
    with pytest.raises(OptionError) as refused:
        read(argument)
    assert str(refused.value) == refusal


def test_yields_what_stands_before_a_refusal() -> None:
    found = scan(["-a", "-x"], letters=LETTERS, words=set())
    assert next(found) == ("a", "")
    with pytest.raises(OptionError):
        next(found)
