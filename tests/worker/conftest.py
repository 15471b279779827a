"""Fixtures for a lobby without a server round it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from serving.room import MakeRoom, Room


@pytest.fixture
def make_room() -> Iterator[MakeRoom]:
    with ExitStack() as stack:

        def make_room(**options: float) -> Room:
            room = Room(**options)  # type: ignore[arg-type]
            stack.callback(room.close)
            return room

        yield make_room


@pytest.fixture
def room(make_room: MakeRoom) -> Room:
    return make_room()
