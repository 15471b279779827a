"""Relief, the master's side: who gets the clients of a busy worker."""

import os
from collections.abc import Iterator

import pytest

from prefork.master.relief import Relief
from prefork.master.roster import Member, Roster
from prefork.master.states import State
from prefork.monitor.scoreboard import SLOTS, Scoreboard
from prefork.system.channel import Message

PATIENCE = {"boot_timeout": 5.0, "graceful_timeout": 5.0}


class Post:
    """Takes what is said to workers, but for those who are gone."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.said: list[tuple[int, list[int]]] = []  # to whom, about which clients

    def __call__(self, member: Member, kind: str, **content: object) -> bool:
        if member.slot in self.gone:
            return False
        assert kind == "take in"
        clients, descriptors = content["clients"], content["descriptors"]
        assert isinstance(clients, tuple)
        assert isinstance(descriptors, tuple)
        assert len(clients) == len(descriptors)
        self.said.append((member.slot, list(clients)))
        return True


@pytest.fixture
def roster() -> Roster:
    """Four workers, all open."""
    roster = Roster(slots=SLOTS)
    for _ in range(4):
        member = roster.order(1, 0.0, **PATIENCE)
        assert member is not None
        member.state, member.is_open = State.SERVING, True
    return roster


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def relief(roster: Roster, post: Post) -> Relief:
    return Relief(roster, Scoreboard(), post)


@pytest.fixture
def message() -> Iterator[Message]:
    """Seven clients of worker 0, numbered."""
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(7)]
    yield Message("homeless", {"clients": list(range(7))}, descriptors, 0)
    for fd in descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_all_who_have_time_share_them(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    relief.pass_on(roster.members[0], message)
    assert post.said == [(1, [0, 3, 6]), (2, [1, 4]), (3, [2, 5])]


def test_a_canary_gets_none(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    """Behaviour 23: no client meets what is only being tried."""
    roster.members[2].is_open = False
    relief.pass_on(roster.members[0], message)
    assert {slot for slot, _ in post.said} == {1, 3}


def test_the_share_of_one_who_has_died_goes_to_another(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    post.gone = {2}
    relief.pass_on(roster.members[0], message)
    assert sorted(n for _, clients in post.said for n in clients) == list(range(7))


def test_if_all_others_have_died_they_come_back(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    post.gone = {1, 2, 3}
    relief.pass_on(roster.members[0], message)
    assert {slot for slot, _ in post.said} == {0}


def test_without_room_for_all_descriptors_those_that_came_are_placed(
    relief: Relief, roster: Roster, post: Post
) -> None:
    """Behaviour 18: what does not fit the kernel leaves out."""
    fd = os.open(os.devnull, os.O_RDONLY)
    message = Message("homeless", {"clients": list(range(7))}, [fd], 0)
    relief.pass_on(roster.members[0], message)
    assert post.said == [(1, [0])]
