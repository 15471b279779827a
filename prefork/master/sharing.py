"""Sharing: log files that were opened again go to all templates and workers."""

import os

from prefork.master.house import House


def reopen(house: House) -> list[str]:
    """USR1, as after a rotation; returns the names of the files."""
    fresh = house.logs.reopen()
    share(house, fresh)
    return list(fresh)


def share(house: House, fresh: dict[str, int]) -> None:
    """Have templates and workers go on in these files, which are closed here."""
    for generation in house.templates.generations.values():
        names, descriptors = house.logs.pick(fresh, generation.settings)
        content = {"names": names, "descriptors": descriptors}
        house.templates.send(generation, "reopen", **content)
        for member in house.crew.roster.of(generation.number):
            house.crew.send(member, "reopen", **content)
    for fd in fresh.values():
        os.close(fd)
