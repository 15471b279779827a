"""prefork.master.demand: what scaling is told, of workers, queues and memory."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.master.demand import COMPLAIN_EVERY, LOOK_EVERY, Demand
from prefork.master.reactor import Reactor
from prefork.master.roster import FOREVER, Member, Roster
from prefork.master.scaling import Rules
from prefork.master.states import Event
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import SECOND, Scoreboard
from prefork.settings.scale import Scale
from prefork.system.address import parse_bind
from prefork.system.listen import Listener, close, open_listener


class Lines:
    """An outlet that keeps its lines."""

    reported = dropped = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def write(self, line: bytes) -> bool:
        self.lines.append(line.decode())
        return True


class House:
    """A demand with workers that are not real, and a log that is read."""

    def __init__(self, directory: Path, listener: Listener) -> None:
        self.roster = Roster(slots=16)
        self.scoreboard = Scoreboard()
        self.reactor = Reactor()
        self.said = Lines()
        self.cgroup = directory / "cgroup"
        self.cgroup.mkdir()
        self.listeners = [listener]
        self.now = 1000.0
        self.demand = Demand(
            self.roster,
            self.scoreboard,
            self.reactor,
            Log(self.said),  # type: ignore[arg-type]
            cgroup=self.cgroup,
        )

    def use_memory(self, share: float) -> None:
        (self.cgroup / "memory.max").write_text("1000000\n")
        (self.cgroup / "memory.current").write_text(f"{int(share * 1000000)}\n")
        (self.cgroup / "memory.stat").write_text("inactive_file 0\n")

    def hire(self) -> Member:
        """One more worker that serves."""
        member = self.roster.order(1, self.now, boot_timeout=60, graceful_timeout=30)
        assert member is not None
        self.scoreboard.admit(member.slot, generation=1, now=int(self.now * SECOND))
        self.roster.apply(member, Event.REGISTERED, self.now)
        self.roster.apply(member, Event.READY, self.now)
        return member

    def occupy(self, member: Member) -> None:
        slot = self.scoreboard.worker_slot(member.slot)
        slot.begin(b"GET /", now=int(self.now * SECOND), deadline=0)

    def look(self, seconds: float = LOOK_EVERY) -> int:
        for _ in range(int(seconds / LOOK_EVERY)):
            self.now += LOOK_EVERY
            self.demand.look(self.listeners, self.now)
        return self.demand.wanted

    def wait(self) -> int:
        """A turn of the loop that waits for descriptors."""
        self.demand.look(self.listeners, self.now)
        self.reactor.turn(0.0)
        return self.look()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = open_listener(parse_bind("127.0.0.1:0"))
    yield listener
    close(listener)


@pytest.fixture
def house(tmp_path: Path, listener: Listener) -> House:
    return House(tmp_path, listener)


@pytest.fixture
def caller(listener: Listener) -> Iterator[socket.socket]:
    """Whoever has connected, and waits."""
    with socket.create_connection(listener.socket.getsockname()) as caller:
        yield caller


def test_with_a_static_scale_it_looks_at_nothing(house: House) -> None:
    house.demand.follow(Rules(Scale(4, 4)))
    assert house.demand.wanted == 4
    assert house.demand.next_look() == FOREVER
    assert house.look(10) == 4


def test_looks_four_times_a_second_however_often_it_may(house: House) -> None:
    house.demand.follow(Rules(Scale(1, 8)))
    house.look()
    assert house.demand.next_look() == house.now + LOOK_EVERY
    due = house.demand.next_look()
    house.demand.look(house.listeners, house.now + LOOK_EVERY / 2)
    assert house.demand.next_look() == due


def test_who_is_busy_in_the_scoreboard_is_busy(house: House) -> None:
    """Behaviour 59."""
    house.demand.follow(Rules(Scale(1, 8)))
    first, second = house.hire(), house.hire()
    house.occupy(first)
    assert house.look(2) == 1
    house.occupy(second)
    assert house.look() == 3


def test_who_waits_at_the_door_is_counted(house: House, caller: socket.socket) -> None:
    """Behaviour 59: the kernel's queue."""
    house.demand.follow(Rules(Scale(1, 8), spare=0))
    house.occupy(house.hire())
    assert house.look() == 1
    assert house.look() == 2


def test_clients_in_the_lobby_of_one_who_is_busy_for_long_are_counted(
    house: House,
) -> None:
    house.demand.follow(Rules(Scale(1, 8), spare=0))
    member = house.hire()
    slot = house.scoreboard.worker_slot(member.slot)
    slot.keep_waiting(40)
    house.occupy(member)
    assert house.look(2 * LOOK_EVERY) == 2
    house.demand.resume(1)
    member.relieved = 1  # those who are left cannot be moved
    assert house.look(60) == 1


def test_clients_in_the_lobby_of_one_who_is_idle_are_not(house: House) -> None:
    house.demand.follow(Rules(Scale(1, 8), spare=0))
    house.scoreboard.worker_slot(house.hire().slot).keep_waiting(40)
    assert house.look(60) == 1


def test_those_who_keep_programs_are_busy_while_connections_wait(
    house: House, caller: socket.socket
) -> None:
    """Once may be chance: whoever waits has to be there in the next look as well."""
    house.demand.follow(Rules(Scale(1, 8), spare=0))
    house.scoreboard.worker_slot(house.hire().slot).keep(812)
    assert house.look() == 1
    assert house.look(2 * LOOK_EVERY) == 2


@pytest.mark.parametrize(("share", "wanted"), [(0.5, 2), (0.92, 1), (1.0, 1)])
def test_when_the_memory_is_nearly_used_up_there_are_no_more(
    house: House, share: float, wanted: int
) -> None:
    """Behaviour 63."""
    house.use_memory(share)
    house.demand.follow(Rules(Scale(1, 8)))
    house.occupy(house.hire())
    assert house.look() == wanted
    complaints = [line for line in house.said.lines if "memory" in line]
    assert len(complaints) == (wanted == 1)


def test_says_once_a_minute_why_it_does_not_grow(house: House) -> None:
    """Behaviour 63."""
    house.use_memory(0.92)
    house.demand.follow(Rules(Scale(1, 8)))
    house.occupy(house.hire())
    house.look(COMPLAIN_EVERY)
    assert len(house.said.lines) == 1
    house.look(COMPLAIN_EVERY)
    assert len(house.said.lines) == 2
    assert "warning cannot scale workers=1 reason=" in house.said.lines[0]


def test_while_none_are_wanted_it_waits_for_a_caller(
    house: House, listener: Listener
) -> None:
    """Behaviour 62."""
    house.demand.follow(Rules(Scale(0, 8), idle_timeout=1.0))
    member = house.hire()
    assert house.look(2) == 0
    house.roster.apply(member, Event.EXITED, house.now)
    assert house.demand.next_look() == FOREVER
    assert house.wait() == 0
    with socket.create_connection(listener.socket.getsockname()):
        assert house.wait() == 1


def test_at_rest_it_hears_no_caller(house: House, caller: socket.socket) -> None:
    house.demand.follow(Rules(Scale(0, 8), idle_timeout=1.0))
    house.demand.resume(0)
    house.demand.look(house.listeners, house.now)
    house.demand.rest()
    house.reactor.turn(0.0)
    assert house.demand.wanted == 0
    assert house.wait() == 1  # and then it does
    house.demand.rest()
    assert house.demand.next_look() == FOREVER
    house.look()
    assert house.demand.next_look() == house.now + LOOK_EVERY


def test_listeners_may_be_closed_while_it_holds_off(
    house: House, listener: Listener
) -> None:
    """Behaviour 30: a reload drops one while nobody works."""
    house.demand.follow(Rules(Scale(0, 8), idle_timeout=1.0))
    house.demand.resume(0)
    house.wait()
    house.demand.hold_off(house.now)
    with socket.fromfd(listener.socket.fileno(), socket.AF_INET, socket.SOCK_STREAM):
        close(listener)  # others, such as workers, still have it open
        house.listeners = []
        assert house.wait() == 0


def test_one_that_has_served_in_between_is_not_quiet(house: House) -> None:
    house.demand.follow(Rules(Scale(0, 8), idle_timeout=2.0))
    slot = house.scoreboard.worker_slot(house.hire().slot)
    for _ in range(4):
        house.look(1.5)
        slot.begin(b"GET /", now=int(house.now * SECOND), deadline=0)
        slot.end(now=int(house.now * SECOND), sent=1)
    assert house.look() == 1
    assert house.look(3) == 0
