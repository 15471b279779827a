"""What a source of settings says, before anybody has looked at it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One setting as a source has it: perhaps unknown, perhaps wrong."""

    name: str
    value: object  # text, a list of texts, a bool, or any TOML value
    origin: str  # where it is, for `prefork check`
    place: str  # where it is, for a message about it
