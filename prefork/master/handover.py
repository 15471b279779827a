"""A handover: what a master leaves to the program that takes its place.

It goes through exec: JSON in a memfd, made of what the state() of each part says,
for that part's restore().  In all of it a descriptor that has to stay open is
called "fd".
"""

import json
from collections.abc import Iterator
from typing import Any

from prefork.errors import ConfigError
from prefork.system.document import read_document, write_document

# Of the JSON; but also of the scoreboard's layout, and of the words that templates
# and workers of before go on using.  To change one of them is to change this.
VERSION = 8

State = dict[str, Any]


def write_handover(state: State) -> int:
    """Returns a descriptor, to be read by read_handover() in another process."""
    text = json.dumps({"version": VERSION, **state})
    return write_document(text, name="prefork-handover")


def read_handover(fd: int) -> State:
    """Raises ConfigError if it is of another version."""
    state: State = json.loads(read_document(fd))
    if state["version"] != VERSION:
        raise ConfigError(
            f"the running master hands over state of version {state['version']}, and "
            f"this program reads version {VERSION} (stop and start it instead)"
        )
    return state


def check_version(master: int | None) -> None:
    """May a template of this program serve a master of that version?

    The files on disk may have been replaced since it was started.  Raises ConfigError.
    """
    if master != VERSION:
        raise ConfigError(
            f"prefork was replaced on disk: the running master is of version {master}, "
            f"and what it starts is of version {VERSION} (stop and start the server)"
        )


def descriptors(part: object) -> Iterator[int]:
    """All that have to stay open."""
    if isinstance(part, list):
        for each in part:
            yield from descriptors(each)
    elif isinstance(part, dict):
        for name, value in part.items():
            if name == "fd":
                yield value
            else:
                yield from descriptors(value)
