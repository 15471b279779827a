"""The configuration file: prefork.toml, or a table in pyproject.toml."""

import os
import re
from collections.abc import Iterator
from typing import Any

from prefork.config.given import Given
from prefork.errors import ConfigError

FILE = "prefork.toml"
LONGEST = 1 << 20  # characters; processes tell each other what is in it
PYPROJECT = "pyproject.toml"  # under this name, the settings are in [tool.prefork]


def read_file(named: str | None) -> Iterator[Given]:
    """Read the file of --config; else ./prefork.toml; else ./pyproject.toml.

    Without --config it is no mistake when there is no file, or no table of ours.
    """
    path = named or next(filter(os.path.lexists, (FILE, PYPROJECT)), None)
    if path is None:
        return
    text, mode = _read_text(path)
    table = _find_table(text, path)
    if table is None:
        if named:
            raise ConfigError(f"{path}: it has no table [tool.prefork]")
        return
    refuse_world_writable(path, mode, uid=os.geteuid())
    yield from _read_table(table, text, path)


def _read_text(path: str) -> tuple[str, int]:
    try:
        with open(path, encoding="utf-8") as file:
            # From the open file: the path might be another one a moment later.
            text = file.read(LONGEST + 1)
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        raise ConfigError(f"{path}: cannot read it: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: it is not UTF-8: {error.reason}") from None
    if len(text) > LONGEST:
        raise ConfigError(f"{path}: it is longer than {LONGEST >> 20} MB")
    return text, mode


def refuse_world_writable(path: str, mode: int, *, uid: int) -> None:
    """Refuse to do as root what anybody may have written."""
    if uid == 0 and mode & 0o002:
        raise ConfigError(
            f"{path}: everybody may write to it, and this is root (chmod o-w {path})"
        )


def _find_table(text: str, path: str) -> dict[str, Any] | None:
    if not _is_nested(path):
        return _parse_toml(text, path)
    if "prefork" not in text:
        return None  # somebody else's: it need not be parsed, nor be right
    tool = _parse_toml(text, path).get("tool")
    table = tool.get("prefork") if isinstance(tool, dict) else None
    return table if isinstance(table, dict) else None


def _is_nested(path: str) -> bool:
    return os.path.basename(path) == PYPROJECT


def _parse_toml(text: str, path: str) -> dict[str, Any]:
    import tomllib  # 5 ms, for those who have a file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        # The text ends with "(at line 7, column 3)" or "(at end of document)".
        what, _, where = str(error).rpartition(" (at ")
        line = re.match(r"line (\d+)", where)
        place = f"{path}:{line[1]}" if line else path
        raise ConfigError(f"{place}: it is not TOML: {what}") from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits
        raise ConfigError(f"{path}: it is not TOML: {error}") from None


def _read_table(table: dict[str, Any], text: str, path: str) -> Iterator[Given]:
    names: dict[str, str] = {}
    for key, value in table.items():
        line = _find_line(key, text, is_nested=_is_nested(path))
        origin = f"{path}:{line}" if line else path
        name = key.replace("-", "_")
        if name in names:
            raise ConfigError(f"{origin}: {key}: it is there as {names[name]} too")
        names[name] = key
        yield Given(name=name, value=value, origin=origin, place=f"{origin}: {key}")


def _find_line(key: str, text: str, *, is_nested: bool) -> int:
    """Find the line that sets a key, which tomllib does not tell; else 0."""
    lines = enumerate(text.splitlines(), 1)
    if is_nested:
        header = re.compile(r"\s*\[\s*tool\s*\.\s*prefork\s*[].]")
        # Only to advance `lines`: the key is searched below the header.
        next((n for n, line in lines if header.match(line)), 0)
    # "key =", "key.more =", "[key]", "[tool.prefork.key]"; quotes are allowed.
    sets = re.compile(
        rf"""\s*(\[|\[tool\.prefork\.)?["']?{re.escape(key)}["']?\s*[].=]"""
    )
    return next((number for number, line in lines if sets.match(line)), 0)
