"""Fixtures for parts of a worker without a server round them."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from serving.room import MakeRoom, Room

from prefork.system.channel import Channel, pair


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


@pytest.fixture
def channels() -> Iterator[tuple[Channel, Channel]]:
    """The master's end, and the worker's."""
    ends = pair()
    yield ends
    for end in ends:
        end.close()
