"""Where settings come from: default < file < environment < command line.

Each source tells what it was given, sense or nonsense.  One loop then parses all of
it, so every mistake in every source is reported at once, in the same words wherever
it was made.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Any

from prefork.config.file import read_file
from prefork.config.given import Given
from prefork.config.options import parse_arguments, read_options
from prefork.errors import ConfigError
from prefork.settings import Settings
from prefork.settings.gateways import EXEC, GATEWAYS, WSGI
from prefork.settings.registry import SETTINGS

PREFIX = "PREFORK_"


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, and for the name of each where its value came from.

    An origin is "default", "prefork.toml:7", "PREFORK_WORKERS" or "--workers".
    """

    settings: Settings
    origins: dict[str, str]


def load(
    argv: Sequence[str], environ: Mapping[str, str], *, prog: str, gateway: str = WSGI
) -> Configuration:
    """Read every source, check every value.

    Raises ConfigError, with a line for each mistake.  Exits with status 2 when the
    command line cannot be understood at all, with 0 for --help and --version.
    """
    options = parse_arguments(argv, prog=prog, gateway=gateway)
    file = options.pop("config", None)
    return _merge(
        [*read_file(file), *_read_environment(environ), *read_options(options)],
        gateway,
    )


def _read_environment(environ: Mapping[str, str]) -> Iterator[Given]:
    for variable, text in environ.items():
        if variable.startswith(PREFIX):
            name = variable.removeprefix(PREFIX).lower()
            yield Given(name=name, value=text, origin=variable, place=variable)


def _merge(everything: Iterable[Given], gateway: str) -> Configuration:
    values: dict[str, Any] = {"gateway": gateway}
    origins = dict.fromkeys(SETTINGS, "default")
    mistakes = []
    for given in everything:
        try:
            values[given.name] = _parse(given, gateway)
        except (ValueError, ConfigError) as mistake:
            mistakes.append(f"{given.place}: {mistake}")
        origins[given.name] = given.origin
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return Configuration(_finish(Settings(**values)), origins)


def _finish(settings: Settings) -> Settings:
    """Check values against each other, and name the protocol of EXEC's address.

    Raises ConfigError.
    """
    if settings.gateway != EXEC:
        return settings
    if len(settings.bind) > 1:
        raise ConfigError("bind: one address, since a program accepts on one socket")
    if settings.settle >= settings.boot_timeout:
        raise ConfigError("settle: it has to be less than boot_timeout")
    from prefork.system.address import with_protocol  # --help does without

    protocol = GATEWAYS[settings.gateway].protocol
    addresses = tuple(with_protocol(address, protocol) for address in settings.bind)
    return replace(settings, bind=addresses)


def _parse(given: Given, gateway: str) -> object:
    if given.name not in SETTINGS:
        raise ConfigError("no such setting" + _suggest(given))
    setting = SETTINGS[given.name]
    if gateway not in setting.gateways:
        raise ConfigError(f"no such setting here; it is one of {setting.owners}")
    value = setting.kind.parse(given.value)
    if given.name == "reload" and value and not find_spec("watchfiles"):
        raise ConfigError("it needs watchfiles (pip install 'prefork[reload]')")
    _check_parts(given.name, value)
    return value


def _check_parts(name: str, value: Any) -> None:
    """Parse what is within a value: later it would be a worker that fails at it."""
    # Imported here, because --help does without them.
    if name == "bind":
        from prefork.system.address import parse_bind

        for address in value:
            parse_bind(address)
    elif name == "socket_protocol":
        from prefork.system.activation import parse_protocols

        parse_protocols(value)
    elif name == "access_logformat":
        from prefork.monitor.atoms import compile_format

        compile_format(value)


def _suggest(given: Given) -> str:
    from difflib import get_close_matches  # 3 ms, which only a mistake shall cost

    for name in get_close_matches(given.name, SETTINGS, n=1):
        is_variable = given.origin.startswith(PREFIX)
        return f"; did you mean {SETTINGS[name].variable if is_variable else name}?"
    return ""
