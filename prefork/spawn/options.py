"""What the command line asks for, with spawn-fcgi's idea of numbers."""

import sys
from collections.abc import Sequence

from prefork.errors import ConfigError
from prefork.spawn.getopt import OPERAND, scan
from prefork.spawn.numbers import parse_long, wrap_int, wrap_unsigned

LETTERS = "c:d:f:g:?hna:p:b:u:vC:F:s:P:U:G:M:S"
WORDS = frozenset({"--strict", "--supervise", "--help", "--version"})
LONGEST_PATH = 107  # bytes; unix(7), sun_path, less the zero at its end


class Options:
    """One attribute an option; None where spawn-fcgi knows "not given"."""

    def __init__(self) -> None:
        self.show = ""  # "help" or "version": nothing is to be spawned
        self.command: list[str] = []  # the program and its arguments
        self.shell: str | None = None  # -f: the same for /bin/sh
        self.directory: str | None = None
        self.address: str | None = None
        self.port = 0
        self.path: str | None = None
        self.mode: int | None = None
        self.backlog = 1024
        self.php_children = -1  # less than 0: not given
        self.forks = 1
        self.pid_path: str | None = None
        self.is_forking = True
        self.jail: str | None = None
        self.binds_outside = False  # before the chroot(2)
        self.user: str | None = None
        self.group: str | None = None
        self.socket_user: str | None = None
        self.socket_group: str | None = None
        self.is_strict = False
        self.is_supervised = False
        self.doubts: list[str] = []  # what --strict refuses


TEXTS = {
    "f": "shell",
    "d": "directory",
    "a": "address",
    "s": "path",
    "P": "pid_path",
    "c": "jail",
    "u": "user",
    "g": "group",
    "U": "socket_user",
    "G": "socket_group",
}
NUMBERS = {"b": "backlog", "C": "php_children", "F": "forks"}
SWITCHES = {
    "n": ("is_forking", False),
    "S": ("binds_outside", True),
    "--strict": ("is_strict", True),
    "--supervise": ("is_supervised", True),
}
SHOWS = {
    "h": "help",
    "?": "help",
    "--help": "help",
    "v": "version",
    "--version": "version",
}


def parse(arguments: Sequence[str], *, permute: bool = True) -> Options:
    """Read the arguments from left to right, as far as they matter.

    After one of SHOWS the others are not looked at.  Raises OptionError for what is
    no option, ConfigError for what is not to be spawned.
    """
    options = Options()
    for option, value in scan(arguments, letters=LETTERS, words=WORDS, permute=permute):
        if option in SHOWS:
            options.show = SHOWS[option]
            return options
        _apply(options, option, value)
    _check(options)
    return options


def _apply(options: Options, option: str, value: str) -> None:
    if option in TEXTS:
        setattr(options, TEXTS[option], value)
    elif option in SWITCHES:
        setattr(options, *SWITCHES[option])
    elif option in NUMBERS:
        number, rest = parse_long(value)
        is_sound = wrap_int(number) == number and not rest
        _doubt_number(options, option, value, is_sound=is_sound)
        setattr(options, NUMBERS[option], wrap_int(number))
    elif option == "p":
        _apply_port(options, value)
    elif option == "M":
        number, rest = parse_long(value, base=8)
        is_sound = 0 <= number <= 0o7777 and not rest
        _doubt_number(options, option, value, is_sound=is_sound)
        options.mode = wrap_unsigned(number, bits=12)
    elif option == OPERAND:
        options.command.append(value)


def _apply_port(options: Options, value: str) -> None:
    number, rest = parse_long(value)
    port = wrap_unsigned(number, bits=16)
    if rest:
        raise ConfigError(f"invalid port: {port}")
    if port != number:
        options.doubts.append(f"port {value} would become {port}")
    options.port = port


def _doubt_number(options: Options, option: str, value: str, *, is_sound: bool) -> None:
    if not is_sound or not value:
        options.doubts.append(f"not a number for -{option}: '{value}'")


def _check(options: Options) -> None:
    """In spawn-fcgi's order, which decides what is complained of."""
    if options.shell is None and not options.command:
        raise ConfigError("no FastCGI application given")
    if options.path is None and not options.port:
        raise ConfigError("no socket given (use either -p or -s)")
    if options.path is not None and options.port:
        raise ConfigError("either a Unix domain socket or a TCP-port, but not both")
    if _length(options.path or "") > LONGEST_PATH:
        raise ConfigError("path of the Unix domain socket is too long")
    if options.forks < 1:
        options.doubts.append(f"with -F {options.forks} nothing would be spawned")


def _length(path: str) -> int:
    """In bytes, as they came from the command line."""
    return len(path.encode(sys.getfilesystemencoding(), "surrogateescape"))
