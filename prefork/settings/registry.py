"""The settings as things to list, describe, and hand to another process."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from prefork.settings import GROUPS, Settings
from prefork.settings.gateways import GATEWAYS
from prefork.settings.kinds import Kind
from prefork.settings.scale import Scale


@dataclass(frozen=True, slots=True)
class Setting:
    """One field of `Settings`, described."""

    name: str
    group: str
    default: Any
    flags: tuple[str, ...]
    metavar: str
    help: str
    kind: Kind[Any]
    shown: str
    gateways: frozenset[str]

    @property
    def variable(self) -> str:
        """The environment variable."""
        return "PREFORK_" + self.name.upper()

    @property
    def owners(self) -> str:
        """The commands that have it."""
        return " and ".join(
            known.prog for name, known in GATEWAYS.items() if name in self.gateways
        )

    @property
    def flag(self) -> str:
        """The flag by which messages name it; the argument, for the application."""
        return next((flag for flag in self.flags if flag[:2] == "--"), self.metavar)

    @property
    def shown_default(self) -> str:
        """The default as help and man pages write it; empty when there is none."""
        return self.shown or self.kind.format(self.default)


def _describe() -> Iterator[Setting]:
    group = ""
    for each in fields(Settings):
        if each.metadata:
            group = GROUPS.get(each.name, group)
            yield Setting(each.name, group, each.default, **each.metadata)


SETTINGS = {setting.name: setting for setting in _describe()}


def settings_of(gateway: str) -> list[Setting]:
    """Those that mean something to that gateway, in its words.

    A flag of a setting that only this gateway has, such as -p of CGI, is taken from
    the general setting that has the same.
    """
    known = GATEWAYS[gateway]
    mine = [setting for setting in SETTINGS.values() if gateway in setting.gateways]
    own = {flag for each in mine if each.gateways == {gateway} for flag in each.flags}
    described = []
    for setting in mine:
        if setting.name == "app":
            setting = replace(setting, metavar=known.operand, help=known.operand_help)
        elif setting.gateways != {gateway}:
            flags = tuple(flag for flag in setting.flags if flag not in own)
            setting = replace(setting, flags=flags)
        described.append(setting)
    return described


def to_json(settings: Settings) -> str:
    """Write the settings for another process of ours; `from_json` reads it."""
    return json.dumps(
        {each.name: getattr(settings, each.name) for each in fields(Settings)},
        default=asdict,
    )


def from_json(text: str) -> Settings:
    """Read what `to_json` wrote; TypeError when it is of another version."""
    values = json.loads(text)
    for name, value in values.items():
        if isinstance(value, list):
            values[name] = tuple(value)
        elif isinstance(value, dict):
            values[name] = Scale(**value)
    return Settings(**values)
