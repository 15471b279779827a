"""Sharing: log files that were opened again go to all templates and workers."""

import os

from prefork.master.parts import Parts


def reopen(parts: Parts) -> list[str]:
    """USR1, as after a rotation; returns the names of the files."""
    fresh = parts.logs.reopen()
    share(parts, fresh)
    return list(fresh)


def share(parts: Parts, fresh: dict[str, int]) -> None:
    """Have templates and workers go on in these files, which are closed here."""
    for generation in parts.templates.generations.values():
        names, descriptors = parts.logs.pick(fresh, generation.settings)
        content = {"names": names, "descriptors": descriptors}
        parts.templates.send(generation, "reopen", **content)
        for member in parts.crew.roster.of(generation.number):
            parts.crew.send(member, "reopen", **content)
    for fd in fresh.values():
        os.close(fd)
