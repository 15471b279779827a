"""What a setting accepts: numbers, sizes, switches, lists and such.

A `Kind` parses what a flag, a variable or a TOML file gives, and writes a value the
way an operator would.  What is wrong is a ValueError whose text goes after a colon:
`workers: 'many' is not a whole number`.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")
Number = TypeVar("Number", int, float)

# epoll_wait(2) takes its timeout as an int of milliseconds: 24 days at most.
LONGEST_TIME = 1_000_000  # seconds
LARGEST_INT = (1 << 31) - 1  # what system calls such as listen(2) take as an int
LARGEST_SIZE = (1 << 63) - 1  # bytes; off_t and, but for the infinite, rlim_t
# The message that orders a worker carries these and its channel: 128 descriptors.
MOST_ADDRESSES = 127
LONGEST_URL_PATH = 4096  # bytes; a request line has to take it

UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
TRUE = ("true", "yes", "on", "1")
FALSE = ("false", "no", "off", "0")


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """What a setting accepts, and how its value is written.

    `parse` takes text (of a flag, of a variable) or any TOML value, which may be
    that same text.  It raises ValueError.
    """

    name: str
    parse: Callable[[object], T]
    format: Callable[[T], str]
    is_switch: bool = False  # --this and --no-this, without a value
    is_repeatable: bool = False  # the flag may be given several times
    is_secret: bool = False  # nobody is shown its value


def whole(least: int, most: int = LARGEST_INT) -> Kind[int]:
    """Whole numbers, from `least` to `most`."""
    return Kind("whole number", lambda v: _within(_parse_int(v), least, most), str)


def choice(*words: str) -> Kind[str]:
    """One of a few words."""

    def parse(value: object) -> str:
        if value not in words:
            raise ValueError(f"{value!r} is none of {', '.join(words)}")
        return str(value)

    return Kind(" | ".join(words), parse, str)


def or_word(word: str, kind: Kind[T]) -> Kind[T | None]:
    """What `kind` accepts, or a word that stands for None."""
    return Kind(
        f"{kind.name} | {word}",
        lambda value: None if value == word else kind.parse(value),
        lambda value: word if value is None else kind.format(value),
        is_switch=kind.is_switch,
    )


def _within(number: Number, least: int, most: int) -> Number:
    if number < least:
        raise ValueError(f"{number} is less than {least}")
    if number > most:
        raise ValueError(f"{number} is more than {most}")
    return number


def _parse_int(value: object) -> int:
    # bool is excluded because, for Python, True is the number 1.
    if isinstance(value, int | str) and not isinstance(value, bool):
        with suppress(ValueError):
            return int(value)
    raise ValueError(f"{value!r} is not a whole number")


def _parse_float(value: object) -> float:
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
            if number == number:  # NaN is neither less nor more than anything
                return number
    raise ValueError(f"{value!r} is not a number of seconds")


def _parse_time(value: object) -> float:
    return _within(_parse_float(value), 0, LONGEST_TIME)


def _parse_some_time(value: object) -> float:
    number = _parse_time(value)
    if not number:
        raise ValueError("0 leaves no time at all")
    return number


def _parse_size(value: object) -> int:
    number, unit, size = value, 1, -1
    if isinstance(value, str) and value[-1:].upper() in UNITS:
        number, unit = value[:-1], UNITS[value[-1].upper()]
    with suppress(ValueError):
        size = _parse_int(number) * unit
    if size < 0:
        raise ValueError(f"{value!r} is not a size such as 500, 64K, 300M or 1G")
    return _within(size, 0, LARGEST_SIZE)


def _format_size(size: int) -> str:
    for letter, unit in reversed(UNITS.items()):
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)


def _parse_octal(value: object) -> int:
    # A TOML number is refused: 660 would be meant as octal and read as decimal.
    if isinstance(value, str):
        with suppress(ValueError):
            return _within(int(value, 8), 0, 0o777)
    raise ValueError(f'{value!r} is not an octal mode in quotes, such as "0660"')


def _parse_switch(value: object) -> bool:
    word = str(value).lower() if isinstance(value, bool | str) else ""
    if word not in TRUE + FALSE:
        raise ValueError(f"{value!r} is neither true nor false")
    return word in TRUE


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not text in quotes")
    if "\0" in value:
        raise ValueError(f"{value!r} contains a NUL")
    return value


def _parse_url_path(value: object) -> str:
    path = _parse_text(value)
    if path and not path.startswith("/"):
        raise ValueError(f"{path!r} does not begin with a slash")
    return path


def _parse_request_path(value: object) -> str:
    """A path as a request line has it (RFC 9112, section 3), percent-encoded."""
    path = _parse_url_path(value)
    if odd := next((each for each in path if not "!" <= each <= "~"), ""):
        raise ValueError(f"{odd!r} has to be written as in a URL, {_quote(odd)}")
    if len(path) > LONGEST_URL_PATH:
        raise ValueError(f"it is longer than {LONGEST_URL_PATH} bytes")
    return path


def _quote(character: str) -> str:
    octets = character.encode("utf-8", "surrogateescape")
    return "".join(f"%{octet:02X}" for octet in octets)


def _parse_url_prefix(value: object) -> str:
    path = _parse_url_path(value)
    if path.endswith("/"):
        raise ValueError(f"{path!r} ends in a slash")
    return path


def _parse_items(value: object, separator: str = ",") -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part.strip() for part in value.split(separator)]
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is neither text nor a list of texts")
    return tuple(item for item in map(_parse_text, value) if item)


def _parse_counts(value: object) -> tuple[int, ...]:
    if isinstance(value, int | str):
        value = [part for part in str(value).split(",") if part.strip()]
    if not isinstance(value, list):
        raise ValueError(f"{value!r} is neither a whole number nor a list of them")
    return tuple(_within(_parse_int(each), 1, LARGEST_INT) for each in value)


def _parse_addresses(value: object) -> tuple[str, ...]:
    addresses = _parse_items(value)
    if not addresses:
        raise ValueError("there is no address in it")
    if len(addresses) > MOST_ADDRESSES:
        raise ValueError(f"{len(addresses)} addresses: {MOST_ADDRESSES} at most")
    return addresses


def _parse_pairs(value: object) -> tuple[str, ...]:
    if isinstance(value, dict):
        value = [f"{name}={_parse_text(text)}" for name, text in value.items()]
    pairs = _parse_items(value, "\n")
    for pair in pairs:
        if pair.find("=") < 1:
            raise ValueError(f"{pair!r} is not KEY=VALUE")
    return pairs


def _parse_networks(value: object) -> tuple[str, ...]:
    from ipaddress import ip_network  # 4 ms, and the default needs none of it

    networks = _parse_items(value)
    for network in networks:
        if network not in ("unix", "*"):
            ip_network(network)  # its ValueError is a good sentence
    return networks


TEXT = Kind("text", _parse_text, str)
SECRET = Kind("text", _parse_text, str, is_secret=True)
REQUEST_PATH = Kind("text", _parse_request_path, str)
URL_PREFIX = Kind("text", _parse_url_prefix, str)
SWITCH = Kind("true | false", _parse_switch, lambda v: str(v).lower(), is_switch=True)
SIZE = Kind("size", _parse_size, _format_size)
OCTAL = Kind("octal mode", _parse_octal, lambda mode: f"{mode:04o}")
SECONDS = Kind("seconds", _parse_time, lambda number: f"{number:.15g}")
SOME_SECONDS = Kind("seconds, not 0", _parse_some_time, SECONDS.format)
COUNTS = Kind("list", _parse_counts, lambda counts: ",".join(map(str, counts)))
ITEMS = Kind("list", _parse_items, ",".join)
NETWORKS = Kind("list", _parse_networks, ",".join)
ADDRESSES = Kind("list", _parse_addresses, ",".join, is_repeatable=True)
PATHS = Kind("list", _parse_items, ",".join, is_repeatable=True)
PAIRS = Kind("list", _parse_pairs, "\n".join, is_repeatable=True)
