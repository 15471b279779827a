"""Paths of URLs: percent-encoding, dots, and the prefix of an application."""

import re

PERCENT_PAIR = re.compile(r"%([0-9A-Fa-f]{2})")
# All but what may stand in a path as it is: RFC 3986 3.3, pchar and "/".
TO_BE_ENCODED = re.compile(r"[^A-Za-z0-9._~!$&'()*+,;=:@/-]")


def decode_percent(path: str) -> str:
    """Decode once, to bytes as latin-1 text (PEP 3333); `%` of no pair stays."""
    return PERCENT_PAIR.sub(lambda pair: chr(int(pair[1], 16)), path)


def encode_path(path: str) -> str:
    """The path of a URI, of decoded bytes as latin-1 text."""
    return TO_BE_ENCODED.sub(lambda found: f"%{ord(found[0]):02X}", path)


def resolve_dots(path: str) -> str:
    """Without "//", "/./" and "/../" (RFC 3986 5.2.4)."""
    if "//" not in path and "/." not in path:
        return path
    *parts, last = path.split("/")
    kept: list[str] = []
    for part in (*parts, last):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    is_folder = last in ("", ".", "..") and kept
    return "/" + "/".join(kept) + ("/" if is_folder else "")


def apply_prefix(prefix: str, path: str) -> tuple[str, str]:
    """SCRIPT_NAME as it was configured; the front end may have cut it off."""
    rest = path.removeprefix(prefix)
    if rest != path and rest[:1] in ("", "/"):
        return prefix, rest
    return prefix, path
