"""The command line: flags made of the settings, and a line of help each."""

import shlex
from argparse import REMAINDER, SUPPRESS, ArgumentParser, BooleanOptionalAction
from collections.abc import Iterator, Sequence
from typing import Any

from prefork import __version__
from prefork.config.given import Given
from prefork.settings.gateways import GATEWAYS, WSGI
from prefork.settings.registry import SETTINGS, Setting, settings_of

ROW = "  {:<30}{}"  # the longest flag and its value just fit
GENERAL = (
    ("-c, --config FILE", "read that file [./prefork.toml]"),
    ("-h, --help", "print this"),
    ("--version", "print the version"),
)
MORE = """\
What is `--keep-alive 9` here is `keep_alive = 9` in the file and
PREFORK_KEEP_ALIVE=9 in the environment.  The command line overrides the
environment, which overrides the file.  Sizes may end in K, M, G or T.
`prefork check` shows the value of every setting, and where it came from.
"""


class CommandLine(ArgumentParser):
    """An argparse whose help is made of the settings."""

    def __init__(self, prog: str, gateway: str) -> None:
        # Abbreviations are refused: a script that says --work breaks with the next
        # setting whose name begins like that.
        usage = format_usage(prog, gateway)
        super().__init__(prog, usage=usage, allow_abbrev=False)
        self._gateway = gateway

    def format_help(self) -> str:
        """Return the text of --help, 80 columns wide at most."""
        return format_help(self.prog, self._gateway)


def format_usage(prog: str, gateway: str) -> str:
    return f"{prog} [OPTION]... {GATEWAYS[gateway].operand}"


def parse_arguments(
    argv: Sequence[str], *, prog: str, gateway: str = WSGI
) -> dict[str, Any]:
    """Return the options that were given, and no others, as they were given."""
    parser = CommandLine(prog, gateway)
    known = settings_of(gateway)
    version = f"prefork {__version__}"
    parser.add_argument("--version", action="version", version=version)
    parser.add_argument("-c", "--config", default=SUPPRESS)
    for setting in known:
        _add_argument(parser, setting, is_greedy=GATEWAYS[gateway].is_greedy)
    options, unknown = parser.parse_known_args(argv)
    if unknown:
        parser.error(_explain(unknown[0], known))
    return _join_command(vars(options))


def _join_command(options: dict[str, Any]) -> dict[str, Any]:
    """A program and its arguments as one text, which a file would have too."""
    if isinstance(command := options.get("app"), list):
        del options["app"]
        if command[:1] == ["--"]:
            command = command[1:]
        if command:
            options["app"] = shlex.join(command)
    return options


def _add_argument(parser: ArgumentParser, setting: Setting, *, is_greedy: bool) -> None:
    name, flags, kind = setting.name, setting.flags, setting.kind
    if not flags:
        nargs = REMAINDER if is_greedy else "?"
        parser.add_argument(name, nargs=nargs, default=SUPPRESS)
    elif kind.is_switch:
        action = BooleanOptionalAction
        parser.add_argument(*flags, dest=name, action=action, default=SUPPRESS)
    else:
        verb = "append" if kind.is_repeatable else "store"
        parser.add_argument(*flags, dest=name, action=verb, default=SUPPRESS)


def _explain(unknown: str, known: Sequence[Setting]) -> str:
    from difflib import get_close_matches  # 3 ms, which only a mistake shall cost

    if not unknown.startswith("-"):
        return f"one application only, so what is {unknown!r}?"
    word = unknown.partition("=")[0]
    if elsewhere := [each for each in SETTINGS.values() if word in each.flags]:
        return f"no such option: {word}; it is one of {elsewhere[0].owners}"
    flags = [flag for setting in known for flag in setting.flags]
    near = get_close_matches(unknown, flags, n=1)
    return f"no such option: {unknown}" + (f"; did you mean {near[0]}?" if near else "")


def read_options(options: dict[str, Any]) -> Iterator[Given]:
    """Read what `parse_arguments` returned, --config excepted."""
    for name, value in options.items():
        flag = SETTINGS[name].flag
        if value is False:
            flag = flag.replace("--", "--no-")
        yield Given(name=name, value=value, origin=flag, place=flag)


def format_help(prog: str, gateway: str = WSGI) -> str:
    """Write what --help prints: a line for each setting, in groups."""
    about = GATEWAYS[gateway]
    lines = [f"usage: {format_usage(prog, gateway)}", about.about]
    group = ""
    for setting in settings_of(gateway):
        if setting.group != group:
            group = setting.group
            lines += ["", group]
        lines.append(_format_row(setting))
    lines += ["", "General", *(ROW.format(*row) for row in GENERAL)]
    width = max(len(typed) for typed, _ in about.examples)
    examples = [
        f"  {typed:<{width}}  {what}".rstrip() for typed, what in about.examples
    ]
    return "\n".join([*lines, "", "Examples", *examples, "", MORE])


def _format_row(setting: Setting) -> str:
    default = setting.shown_default
    note = f" [{default}]" if default else ""
    return ROW.format(synopsis(setting), setting.help + note)


def synopsis(setting: Setting) -> str:
    """Write how a setting is given: `-w, --workers N` or `--[no-]preload`."""
    short = [flag for flag in setting.flags if len(flag) == 2]
    long = setting.flag
    if setting.kind.is_switch:
        long = long.replace("--", "--[no-]")
    value = setting.metavar if setting.flags else ""
    return f"{', '.join([*short, long])} {value}".rstrip()
