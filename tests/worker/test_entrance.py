"""prefork.worker.entrance: the doors, the bell, and when neither is answered."""

import errno
import os
import resource
import select
import socket
import time
from collections.abc import Iterator

import pytest
from serving import eventually
from serving.lines import LineDoor

from prefork.system.queue import read_queue
from prefork.worker.entrance import IN_A_ROW, Entrance


class House:
    """One worker's entrance to one or more listeners; it notes who came in."""

    def __init__(
        self, listeners: list[socket.socket], bell: int, *, is_open: bool = True
    ) -> None:
        self.epoll = select.epoll()
        self.doors = [LineDoor(listener) for listener in listeners]
        self.guests: list[int] = []
        self.notices: list[str] = []
        self.has_room = False
        self.entrance = Entrance(
            self.epoll,
            self.doors,  # type: ignore[arg-type]
            bell,
            welcome=lambda fd, door, remote: self.guests.append(fd),
            make_room=lambda: self.has_room,
            notice=lambda event, **fields: self.notices.append(event),
        )
        if is_open:
            self.entrance.open()

    def is_woken(self, within: float = 0.0) -> list[int]:
        """The descriptors that ask for an answer."""
        return [fd for fd, _ in self.epoll.poll(within)]

    def answer(self, *, is_busy: bool = False) -> None:
        """What a worker does when it is woken."""
        for fd in self.is_woken():
            self.entrance.answer(fd, is_busy=is_busy)
            if not is_busy:
                self.entrance.make_way(fd, stays=True)

    def close(self) -> None:
        self.epoll.close()
        for fd in self.guests:
            os.close(fd)


class Street:
    """Listeners, a bell, the workers who share them, and passers-by."""

    def __init__(self) -> None:
        self.bell = os.eventfd(0, os.EFD_NONBLOCK)
        self.listeners = [self._listen(), self._listen()]
        self.houses: list[House] = []
        self.callers: list[socket.socket] = []

    def _listen(self) -> socket.socket:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)
        return listener

    def house(self, *, is_open: bool = True) -> House:
        self.houses.append(House(self.listeners, self.bell, is_open=is_open))
        return self.houses[-1]

    def call(self, listener: int = 0) -> None:
        """Somebody connects, and is at the door: which a busy kernel does later."""
        door = self.listeners[listener]
        before = read_queue(door) or 0
        self.callers.append(socket.create_connection(door.getsockname()))
        eventually(lambda: (read_queue(door) or 0) > before)

    def close(self) -> None:
        for each in [*self.houses, *self.callers, *self.listeners]:
            each.close()
        os.close(self.bell)


@pytest.fixture
def street() -> Iterator[Street]:
    street = Street()
    yield street
    street.close()


@pytest.fixture
def house(street: Street) -> House:
    return street.house()


def test_one_comes_in_a_turn(street: Street, house: House) -> None:
    for _ in range(3):
        street.call()
    for turn in range(1, 4):
        house.answer()
        assert len(house.guests) == turn
    assert house.is_woken() == []


def test_every_door_is_answered(street: Street, house: House) -> None:
    """Behaviour 54."""
    street.call(0)
    street.call(1)
    house.answer()
    assert len(house.guests) == 2


def test_nobody_at_the_door_is_no_error(house: House) -> None:
    assert not house.entrance.try_one()
    assert house.guests == []


# The bell


def test_a_busy_worker_rings_for_an_idle_one(street: Street) -> None:
    """Behaviour 53: the wake-up is handed on, so that nobody is stranded."""
    busy, idle = street.house(), street.house()
    street.call()
    for house in (busy, idle):
        if house.is_woken():
            house.entrance.answer(house.doors[0].fd, is_busy=True)
    assert street.bell in idle.is_woken()
    idle.answer()
    assert len(idle.guests) == 1
    assert busy.guests == []


def test_who_has_rung_in_vain_takes_the_caller_in(street: Street, house: House) -> None:
    """Behaviour 51: kept-alive clients do not keep newcomers out."""
    street.call()
    door = house.doors[0].fd
    house.entrance.answer(door, is_busy=True)
    assert house.guests == []
    house.entrance.answer(door, is_busy=True)
    assert len(house.guests) == 1


def test_a_caller_that_a_sibling_took_in_does_not_count(
    street: Street, house: House
) -> None:
    street.call()
    door = house.doors[0].fd
    house.entrance.answer(door, is_busy=True)
    house.entrance.hear_nobody()
    house.entrance.answer(door, is_busy=True)
    assert house.guests == []


def test_of_several_doors_the_one_that_has_waited_longest_is_chosen(
    street: Street, house: House
) -> None:
    """Behaviour 54."""
    first, second = (door.fd for door in house.doors)
    street.call(0)
    street.call(0)
    street.call(1)
    assert house.entrance.choose([second, first]) == first
    house.entrance.answer(first, is_busy=False)
    assert house.entrance.choose([first, second]) == second
    assert house.entrance.choose([street.bell, first]) == first


def test_the_bell_stops_when_it_is_answered(street: Street, house: House) -> None:
    os.eventfd_write(street.bell, 3)
    house.answer()
    assert house.is_woken() == []


def test_a_bell_that_a_sibling_has_answered_is_no_error(
    street: Street, house: House
) -> None:
    street.call()
    house.entrance.answer(street.bell, is_busy=False)
    assert len(house.guests) == 1


# Whose turn it is


class Queue:
    """An epoll that notes how often somebody went to the end of it."""

    def __init__(self) -> None:
        self.turns = 0

    def register(self, fd: int, events: int) -> None:
        pass

    def unregister(self, fd: int) -> None:
        self.turns += 1


def queue_at(house: House) -> Queue:
    queue = Queue()
    house.entrance._epoll = queue  # type: ignore[assignment]
    return queue


def test_who_has_taken_in_one_that_stays_makes_way_at_once(house: House) -> None:
    """Behaviour 52: kept connections are shared out one by one."""
    queue = queue_at(house)
    for turn in range(1, 4):
        house.entrance.make_way(house.doors[0].fd, stays=True)
        assert queue.turns == turn


def test_those_who_do_not_stay_come_in_eights(house: House) -> None:
    """Behaviour 52: turns are longer, and as fair."""
    queue = queue_at(house)
    for count in range(1, 3 * IN_A_ROW):
        house.entrance.make_way(house.doors[0].fd, stays=False)
        assert queue.turns == count // IN_A_ROW


def test_turns_are_counted_at_each_door(house: House) -> None:
    """Behaviour 54: else, of two that take turns, one would never make way."""
    queue = queue_at(house)
    for _ in range(IN_A_ROW):
        for door in house.doors:
            house.entrance.make_way(door.fd, stays=False)
    assert queue.turns == len(house.doors)


# When descriptors run out


def refuse(code: int) -> None:
    raise OSError(code, os.strerror(code))


def test_without_descriptors_the_doors_are_left_alone(
    street: Street, house: House
) -> None:
    """Behaviour 18: no spinning on a door that cannot be answered."""
    street.call()
    house.doors[0].before_accept = lambda: refuse(errno.EMFILE)
    house.answer()
    assert house.guests == []
    assert house.is_woken() == []
    assert house.notices == ["cannot accept"]


def test_the_doors_are_answered_again_after_a_pause(
    street: Street, house: House
) -> None:
    """Behaviour 18: recovers when descriptors are free."""
    street.call()
    house.doors[0].before_accept = lambda: refuse(errno.EMFILE)
    house.answer()
    house.doors[0].before_accept = lambda: None
    now = time.monotonic()
    house.entrance.resume_if_due(now)
    assert house.is_woken() == [], "too early"
    house.entrance.resume_if_due(now + 1)
    house.answer()
    assert len(house.guests) == 1


def test_where_room_can_be_made_there_is_no_pause(street: Street, house: House) -> None:
    street.call()
    house.has_room = True
    house.doors[0].before_accept = lambda: refuse(errno.EMFILE)
    house.answer()
    house.doors[0].before_accept = lambda: None
    house.answer()
    assert len(house.guests) == 1


def test_a_pause_does_not_outlive_the_closing(street: Street, house: House) -> None:
    street.call()
    house.doors[0].before_accept = lambda: refuse(errno.EMFILE)
    house.answer()
    house.entrance.close(drain=False)
    house.entrance.resume_if_due(time.monotonic() + 1)
    assert house.is_woken() == []


def test_real_descriptors_run_out(street: Street, house: House) -> None:
    """Behaviour 18, with the kernel's own EMFILE."""
    street.call()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        house.answer()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert house.notices == ["cannot accept"]
    house.entrance.resume_if_due(time.monotonic() + 1)
    house.answer()
    assert len(house.guests) == 1


def test_a_caller_that_has_left_is_no_reason_to_pause(
    street: Street, house: House
) -> None:
    """Behaviour 57."""
    street.call()
    house.doors[0].before_accept = lambda: refuse(errno.ECONNABORTED)
    house.answer()
    assert house.notices == []
    house.doors[0].before_accept = lambda: None
    house.answer()
    assert len(house.guests) == 1


# Closing


def test_a_closed_entrance_is_not_woken(street: Street, house: House) -> None:
    house.entrance.close(drain=True)
    street.call()
    os.eventfd_write(street.bell, 1)
    assert house.is_woken() == []


def test_whoever_we_may_have_been_woken_for_is_taken_in(
    street: Street, house: House
) -> None:
    """Behaviour 53: one accept more at each door; the rest is for others."""
    for _ in range(3):
        street.call(0)
    street.call(1)
    house.entrance.close(drain=False)
    assert len(house.guests) == 2
    house.entrance.drain_one()
    assert house.entrance.is_drained
    assert len(house.guests) == 2


def test_at_the_end_everybody_is_taken_in(street: Street, house: House) -> None:
    """Behaviour 40."""
    for _ in range(4):
        street.call(0)
    street.call(1)
    house.entrance.close(drain=True)
    for turns in range(1, 6):
        house.entrance.drain_one()
        assert len(house.guests) == turns, "one a turn: others may be idle"
    eventually(lambda: house.entrance.drain_one() or house.entrance.is_drained)
    assert len(house.guests) == 5


def test_a_canary_lets_nobody_in_until_it_is_opened(street: Street) -> None:
    """Behaviour 23: what it would answer is not known yet."""
    house = street.house(is_open=False)
    street.call()
    assert house.is_woken() == []
    house.entrance.open()
    house.answer()
    assert len(house.guests) == 1


def test_who_was_never_open_leaves_at_once(street: Street) -> None:
    house = street.house(is_open=False)
    street.call()
    house.entrance.close(drain=False)
    house.entrance.open()
    house.entrance.drain_one()
    assert house.entrance.is_drained
    assert house.guests == []


@pytest.mark.parametrize("orders", [(False, True), (True, False), (True, True)])
def test_can_be_closed_twice(house: House, orders: tuple[bool, bool]) -> None:
    """A worker that retires hears of it again when the server stops."""
    for drain in orders:
        house.entrance.close(drain=drain)
    eventually(lambda: house.entrance.drain_one() or house.entrance.is_drained)


def test_waits_for_a_handshake_that_had_begun(street: Street, house: House) -> None:
    """Behaviour 40: its connection is queued when the others have been taken in."""
    house.entrance.close(drain=True)
    house.entrance.drain_one()
    assert not house.entrance.is_drained
    street.call()
    eventually(lambda: house.entrance.drain_one() or house.entrance.is_drained)
    assert len(house.guests) == 1


@pytest.mark.parametrize("is_blocking", [False, True])
def test_a_door_that_the_master_has_shut_is_drained(
    street: Street, is_blocking: bool
) -> None:
    """Behaviour 40: shutdown(2) of a unix listener leaves its queue.

    Then accept(2) fails with EAGAIN, or, if it were to block, with EINVAL.
    """
    name = f"\0prefork-entrance-{os.getpid()}"
    with (
        socket.socket(socket.AF_UNIX) as listener,
        socket.socket(socket.AF_UNIX) as caller,
    ):
        listener.bind(name)
        listener.listen()
        listener.setblocking(is_blocking)
        street.houses.append(House([listener], street.bell))
        caller.connect(name)
        listener.shutdown(socket.SHUT_RD)
        house = street.houses[-1]
        house.entrance.close(drain=True)
        for _ in range(2):
            house.entrance.drain_one()
        assert len(house.guests) == 1
        assert house.entrance.is_drained
