"""Relief, the master's side: who gets the clients of a worker that gives them away."""

import os
from collections.abc import Iterator

import pytest

from prefork.master.relief import Relief
from prefork.master.roster import Member, Roster
from prefork.master.states import State
from prefork.monitor.scoreboard import SLOTS, Scoreboard
from prefork.system.channel import Message

PATIENCE = {"boot_timeout": 5.0, "graceful_timeout": 5.0}
NOW = 100.0


class Post:
    """Takes what is said to workers, but for those who are gone."""

    def __init__(self) -> None:
        self.gone: set[int] = set()
        self.said: list[tuple[int, list[int]]] = []  # to whom, about which clients
        self.relieved: list[tuple[int, int]] = []  # who, after how many messages

    def __call__(self, member: Member, kind: str, **content: object) -> bool:
        if member.slot in self.gone:
            return False
        if kind == "passed on":
            self.relieved.append((member.slot, len(self.said)))
            return True
        assert kind == "take in"
        clients, descriptors = content["clients"], content["descriptors"]
        assert isinstance(clients, tuple)
        assert isinstance(descriptors, tuple)
        assert len(clients) == len(descriptors)
        self.said.append((member.slot, [number for door, number in clients]))
        return True


@pytest.fixture
def roster() -> Roster:
    """Four workers, all open."""
    roster = Roster(slots=SLOTS)
    for _ in range(4):
        member = roster.order(1, 0.0, **PATIENCE)
        assert member is not None
        member.state, member.is_open, member.doors = State.SERVING, True, ["http"]
    return roster


@pytest.fixture
def post() -> Post:
    return Post()


@pytest.fixture
def scoreboard() -> Scoreboard:
    return Scoreboard()


@pytest.fixture
def relief(roster: Roster, scoreboard: Scoreboard, post: Post) -> Relief:
    return Relief(roster, scoreboard, post)


def clients_of(*doors: str) -> dict[str, object]:
    return {"clients": [[door, number] for number, door in enumerate(doors)]}


@pytest.fixture
def message() -> Iterator[Message]:
    """Seven clients of worker 0, numbered."""
    descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(7)]
    yield Message("pass on", clients_of(*7 * ["http"]), descriptors, 0)
    for fd in descriptors:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)


def test_all_who_have_time_share_them(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    relief.pass_on(roster.members[0], message, NOW)
    assert post.said == [(1, [0, 3, 6]), (2, [1, 4]), (3, [2, 5])]


def test_the_sender_hears_that_they_have_homes_when_they_have(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    """Till then it stays: they may come back to it."""
    post.gone = {1, 2, 3}
    relief.pass_on(roster.members[0], message, NOW)
    assert post.relieved == [(0, len(post.said))]


def test_a_canary_gets_none(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    """Behaviour 23: no client meets what is only being tried."""
    roster.members[2].is_open = False
    relief.pass_on(roster.members[0], message, NOW)
    assert {slot for slot, _ in post.said} == {1, 3}


def test_the_share_of_one_who_has_died_goes_to_another(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    post.gone = {2}
    relief.pass_on(roster.members[0], message, NOW)
    assert sorted(n for _, clients in post.said for n in clients) == list(range(7))


def test_if_all_others_have_died_they_come_back(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    post.gone = {1, 2, 3}
    relief.pass_on(roster.members[0], message, NOW)
    assert {slot for slot, _ in post.said} == {0}


def test_without_room_for_all_descriptors_those_that_came_are_placed(
    relief: Relief, roster: Roster, post: Post
) -> None:
    """Behaviour 18: what does not fit the kernel leaves out."""
    fd = os.open(os.devnull, os.O_RDONLY)
    message = Message("pass on", clients_of(*7 * ["http"]), [fd], 0)
    relief.pass_on(roster.members[0], message, NOW)
    assert post.said == [(1, [0])]


def test_who_has_fewest_gets_the_most(
    relief: Relief,
    roster: Roster,
    scoreboard: Scoreboard,
    post: Post,
    message: Message,
) -> None:
    scoreboard.worker_slot(1).report(lobby=40, draining=0)
    scoreboard.worker_slot(2).report(lobby=2, draining=0)
    relief.pass_on(roster.members[0], message, NOW)
    assert {slot: len(clients) for slot, clients in post.said} == {2: 3, 3: 4}


def test_who_is_busy_gets_none_while_another_is_idle(
    relief: Relief,
    roster: Roster,
    scoreboard: Scoreboard,
    post: Post,
    message: Message,
) -> None:
    for slot in (1, 3):
        scoreboard.worker_slot(slot).begin(b"GET /", now=1, deadline=0)
    relief.pass_on(roster.members[0], message, NOW)
    assert {slot for slot, _ in post.said} == {2}


def test_each_goes_where_its_door_is(
    relief: Relief, roster: Roster, post: Post
) -> None:
    """Behaviour 30: a reload may have added and removed listeners."""
    fd = os.open(os.devnull, os.O_RDONLY)
    copies = [os.dup(fd) for _ in range(3)]
    roster.members[3].doors = ["http", "fastcgi"]
    message = Message("pass on", clients_of("fastcgi", "ajp", "http"), copies, 0)
    roster.members[1].state = roster.members[2].state = State.ABORTED
    relief.pass_on(roster.members[0], message, NOW)
    assert post.said == [(3, [0, 2])]  # and nobody is left for the other
    os.close(fd)


def test_those_of_one_who_retires_go_to_the_new_generation(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    """The others of its own have to leave as well."""
    roster.members[0].state = State.RETIRING
    roster.members[2].generation = 2
    relief.pass_on(roster.members[0], message, NOW)
    assert {slot for slot, _ in post.said} == {2}


def test_if_all_retire_one_of_them_serves_them_to_the_end(
    relief: Relief, roster: Roster, post: Post, message: Message
) -> None:
    for member in roster.members.values():
        member.state = State.RETIRING
    relief.pass_on(roster.members[0], message, NOW)
    assert {slot for slot, _ in post.said} == {1, 2, 3}


def test_who_retires_is_told_where_others_serve_on(
    relief: Relief, roster: Roster
) -> None:
    roster.members[1].doors = ["http", "fastcgi"]
    roster.members[2].doors = ["scgi"]
    roster.members[2].is_open = False
    members = roster.members
    assert relief.doors_without([members[0]]) == ["http", "fastcgi"]
    assert relief.doors_without([members[1], members[3]]) == ["http"]
    assert relief.doors_without(members.values()) == []


def test_what_is_no_client_goes_nowhere(
    relief: Relief, roster: Roster, post: Post
) -> None:
    """Anyone could write into a worker's channel: its application can."""
    fd = os.open(os.devnull, os.O_RDONLY)
    copies = [os.dup(fd) for _ in range(4)]
    rows: list[object] = [[], None, [{}], ["http", 4]]
    relief.pass_on(
        roster.members[0], Message("pass on", {"clients": rows}, copies, 0), NOW
    )
    assert post.said == [(1, [4])]
    os.close(fd)


# Who is busy for long


class Rung:
    """Remembers to whom the signal was sent."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pids: list[int] = []
        monkeypatch.setattr(os, "kill", lambda pid, number: self.pids.append(pid))


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch, roster: Roster) -> Rung:
    for member in roster.members.values():
        member.pid = 1000 + member.slot
    return Rung(monkeypatch)


def test_it_is_rung_once_a_request(
    relief: Relief, scoreboard: Scoreboard, rung: Rung
) -> None:
    slot = scoreboard.worker_slot(0)
    slot.keep_waiting(3)
    slot.begin(b"GET /", now=int(NOW * 1e9), deadline=0)
    relief.look(NOW + 0.1)
    assert not rung.pids
    relief.look(NOW + 0.3)
    relief.look(NOW + 0.4)
    assert rung.pids == [1000]


def test_it_is_rung_again_for_those_who_were_given_to_it_since(
    relief: Relief,
    roster: Roster,
    scoreboard: Scoreboard,
    rung: Rung,
    post: Post,
    message: Message,
) -> None:
    """They wait in its channel, where its scoreboard does not count them."""
    for slot in range(4):
        scoreboard.worker_slot(slot).begin(b"GET /", now=int(NOW * 1e9), deadline=0)
    relief.pass_on(roster.members[0], message, NOW + 1)
    relief.look(NOW + 1.1)
    assert not rung.pids  # nobody is idle
    scoreboard.worker_slot(1).end(now=int(NOW * 1e9), sent=0)
    relief.look(NOW + 1.2)
    assert rung.pids == [1002, 1003]
    relief.look(NOW + 1.3)
    assert len(rung.pids) == 2


def test_it_is_not_rung_for_those_whom_it_has_long_taken_in(
    relief: Relief,
    roster: Roster,
    scoreboard: Scoreboard,
    rung: Rung,
    message: Message,
) -> None:
    relief.pass_on(roster.members[0], message, NOW)
    relief.look(NOW + 1)
    scoreboard.worker_slot(1).begin(b"GET /", now=int((NOW + 1) * 1e9), deadline=0)
    relief.look(NOW + 2)
    assert not rung.pids
