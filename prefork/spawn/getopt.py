"""A command line as glibc's getopt(3) reads it: letters among operands.

Not Python's getopt: that one reads a lone "-" and a "-:" differently, and has other
words for what it refuses.
"""

from collections.abc import Iterator, Sequence, Set

OPERAND = ""  # in place of an option's name, for what is no option


class OptionError(Exception):
    """An option is unknown, or has no argument; the text says it as glibc does."""


def scan(
    arguments: Sequence[str], *, letters: str, words: Set[str], permute: bool = True
) -> Iterator[tuple[str, str]]:
    """Yield (option, its argument) from left to right, then each operand.

    `letters` is getopt's: a colon follows those with an argument.  `words` are whole
    arguments that are options, such as "--strict".  Without `permute` the first
    operand ends the options, as POSIXLY_CORRECT asks for.
    """
    waiting = list(arguments)
    operands: list[str] = []
    while waiting:
        argument = waiting.pop(0)
        if argument == "--":
            break
        if argument in words:
            yield argument, ""
        elif argument.startswith("-") and argument != "-":
            yield from _scan_cluster(argument[1:], waiting, letters)
        else:
            operands.append(argument)
            if not permute:
                break
    for operand in operands + waiting:
        yield OPERAND, operand


def _scan_cluster(
    cluster: str, waiting: list[str], letters: str
) -> Iterator[tuple[str, str]]:
    """The letters of one argument; the last may take what is left, or the next."""
    while cluster:
        letter, cluster = cluster[0], cluster[1:]
        if letter == ":" or letter not in letters:
            raise OptionError(f"invalid option -- '{letter}'")
        if f"{letter}:" not in letters:
            yield letter, ""
        elif cluster or waiting:
            yield letter, cluster or waiting.pop(0)
            return
        else:
            raise OptionError(f"option requires an argument -- '{letter}'")
