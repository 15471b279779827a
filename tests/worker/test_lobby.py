"""prefork.worker.lobby: everyone who has nothing for the application to do."""

import os
import socket
import time

import pytest
from serving import eventually
from serving.room import BIG, MakeRoom, Reader, Room, is_closed

from prefork.worker import lobby as lobby_module
from prefork.worker.client import Client, ClientState

# Coming in


def test_a_request_that_came_with_its_connection_is_served(room: Room) -> None:
    visitor = room.visit(b"hello\n")
    assert room.serve() == "hello"
    assert visitor.recv(100) == b"hello\n"


def test_who_has_come_whole_overtakes_who_has_not(room: Room) -> None:
    room.let_in(b"", b"slo", b"POST 100\nslow")
    room.visit(b"quick\n")
    assert room.serve() == "quick"


def test_a_slow_head_is_served_when_it_is_whole(room: Room) -> None:
    (visitor,) = room.let_in(b"slo")
    visitor.send(b"w\n")
    assert room.serve() == "slow"


def test_a_small_body_is_waited_for(room: Room) -> None:
    (visitor,) = room.let_in(b"POST 10\nhello")
    visitor.send(b"world")
    client = room.next()
    assert b"".join(client.parts) == b"helloworld"
    room.lobby.put_back(client, keep=False)


def test_pipelined_requests_are_served_one_by_one(room: Room) -> None:
    visitor = room.visit(b"one\ntwo\nthree\n")
    assert [room.serve() for _ in range(3)] == ["one", "two", "three"]
    assert visitor.recv(100) == b"one\ntwo\nthree\n"


def test_others_are_not_kept_waiting_by_a_pipeline(room: Room) -> None:
    room.visit(b"one\ntwo\n")
    room.visit(b"other\n")
    served = [room.serve() for _ in range(3)]
    assert sorted(served) == ["one", "other", "two"]


def test_a_connection_is_kept(room: Room) -> None:
    visitor = room.visit(b"one\n")
    room.serve()
    visitor.send(b"two\n")
    assert room.serve() == "two"


def test_a_connection_is_not_kept_when_told_so(room: Room) -> None:
    visitor = room.visit(b"one\n")
    room.serve(keep=False)
    assert visitor.recv(100) == b"one\n"
    assert visitor.recv(100) == b""


def test_only_one_is_accepted_before_it_is_served(room: Room) -> None:
    """A queued connection is always free to go to an idle worker."""
    room.visit(b"one\n")
    room.visit(b"two\n")
    client = room.next()
    assert room.lobby.count() == (0, 0)
    other, _ = room.listener.accept()  # a sibling
    assert other.recv(100) == b"two\n"
    other.close()
    room.lobby.put_back(client, keep=False)


def test_a_busy_worker_hands_the_connection_on(room: Room) -> None:
    """Behaviour 53: by the bell that all workers share."""
    (inside,) = room.let_in(b"on")
    inside.send(b"e\n")
    room.visit(b"two\n")
    client = room.next()
    assert os.eventfd_read(room.bell) == 1
    room.lobby.put_back(client, keep=False)


# Going out


@pytest.mark.parametrize("data", [b"", b"ha", b"POST 10\nha"])
def test_whoever_leaves_is_forgotten(room: Room, data: bytes) -> None:
    (visitor,) = room.let_in(data)
    visitor.close()
    room.turn_until(lambda: room.lobby.count() == (0, 0))
    assert len(room.refused) == bool(data), "half a request is in the access log"


def test_a_bad_request_is_answered_and_the_connection_closed(room: Room) -> None:
    visitor = room.visit(b"bad\nmore of it")
    room.turn_until(lambda: room.refused)
    assert visitor.recv(100) == b"400\n"
    assert visitor.recv(100) == b""
    assert room.refused == ["a bad line"]


# Deadlines


@pytest.mark.parametrize(
    ("data", "deadline", "answer"),
    [
        (b"", "header", b""),
        (b"ha", "header", b"408\n"),
        (b"POST 10\nha", "body", b"408\n"),
    ],
)
def test_each_wait_has_its_deadline(
    make_room: MakeRoom, data: bytes, deadline: str, answer: bytes
) -> None:
    """Who has not said a word needs no answer; who was too slow gets one."""
    room = make_room(**{deadline: 0.2})
    (visitor,) = room.let_in(data)
    assert not is_closed(visitor)
    visitor.settimeout(5)
    room.turn_until(lambda: room.lobby.count()[0] == 0 or room.refused)
    assert visitor.recv(100) == answer
    if answer:
        assert visitor.recv(100) == b""


def test_an_idle_connection_has_its_deadline(make_room: MakeRoom) -> None:
    room = make_room(keep_alive=0.2)
    visitor = room.visit(b"one\n")
    room.serve()
    room.turn_until(lambda: room.lobby.count() == (0, 0))
    assert visitor.recv(100) == b"one\n"
    assert visitor.recv(100) == b""
    assert room.refused == []


def test_a_front_end_has_a_deadline_of_its_own(make_room: MakeRoom) -> None:
    room = make_room(keep_alive=0.1, frontend_keep_alive=9.0)
    visitor = room.visit(b"one\n")
    room.serve()
    room.door.language.is_front_end = True
    front_end = room.visit(b"two\n")
    room.serve()
    room.turn_until(lambda: is_closed(visitor))
    assert not is_closed(front_end)
    assert room.lobby.count() == (1, 0)


def test_who_asks_whether_we_are_here_is_waited_for(make_room: MakeRoom) -> None:
    """AJP's CPING comes before a request, and often as the first word."""
    room = make_room(keep_alive=0.2, frontend_keep_alive=9.0)
    silent = room.visit(b"one\n")
    room.serve()
    room.door.language.is_front_end = True
    (visitor,) = room.let_in(b"ping\n")
    room.turn_until(lambda: is_closed(silent))
    assert visitor.recv(5, socket.MSG_WAITALL) == b"pong\n"
    assert not is_closed(visitor)
    visitor.sendall(b"three\n")
    assert room.serve() == "three"


def test_a_trickle_of_a_head_does_not_move_its_deadline(make_room: MakeRoom) -> None:
    room = make_room(header=0.5)
    (visitor,) = room.let_in(b"h")
    (client,) = room.lobby._guests.values()
    deadline = client.deadline

    def trickle() -> bool:
        visitor.send(b"h")
        return bool(room.refused) or client.deadline != deadline

    room.turn_until(trickle)
    assert room.refused == ["the head arrived too slowly"]


def test_nobody_is_overdue_who_spoke_while_another_was_served(
    make_room: MakeRoom,
) -> None:
    """Not even if more have spoken than are heard in one turn."""
    room = make_room(size=200)
    early = room.let_in(*[b"ear"] * (lobby_module.EVENTS_A_TURN + 10))
    room.visit(b"long\n")
    client = room.next()
    for visitor in early:
        visitor.send(b"ly\n")
    for guest in room.lobby._guests.values():
        guest.deadline = time.monotonic()
    time.sleep(0.5)  # the application's time, and by then a look is due
    room.lobby.put_back(client, keep=False)
    assert [room.serve() for _ in early] == ["early"] * len(early)
    assert room.refused == []


# When it is full


def test_nor_is_a_body_too_slow_that_has_arrived_meanwhile(
    make_room: MakeRoom,
) -> None:
    """It waits where we read it from, in pieces."""
    room = make_room(body=0.1, body_min_rate=500_000, body_buffer=1 << 20)
    (early,) = room.let_in(b"POST 100000\n")
    early.sendall(b"x" * 100_000)
    time.sleep(0.5)  # the application's time: four pieces would not be enough
    assert room.serve() == "POST"
    assert room.refused == []


def test_when_it_is_full_the_oldest_idle_leaves(make_room: MakeRoom) -> None:
    room = make_room(size=4)
    half, first, second, third = room.let_in(b"ha", b"", b"", b"")
    room.visit(b"hello\n")
    assert room.serve() == "hello"
    assert is_closed(first)
    assert not any(map(is_closed, (half, second, third)))


def test_when_none_is_idle_the_oldest_leaves(make_room: MakeRoom) -> None:
    room = make_room(size=2)
    first, second = room.let_in(b"ha", b"ha")
    room.visit(b"hello\n")
    assert room.serve() == "hello"
    assert is_closed(first)
    assert not is_closed(second)


def test_who_leaves_with_half_a_request_is_told_and_noted(make_room: MakeRoom) -> None:
    room = make_room(size=1)
    (half,) = room.let_in(b"ha")
    room.visit(b"hello\n")
    assert room.serve() == "hello"
    assert half.recv(100) == b"503\n"
    assert room.refused == ["the lobby is full"]


def test_an_answer_is_cut_last_and_not_in_silence(make_room: MakeRoom) -> None:
    room = make_room(size=2)
    room.visit(b"big\n")
    room.serve(BIG * 8)
    (half,) = room.let_in(b"ha")
    room.visit(b"big\n")
    room.serve(BIG * 8)
    assert half.recv(100) == b"503\n"
    assert (room.lobby.count(), room.notices) == ((2, 2), [])
    room.visit(b"hello\n")
    assert room.serve() == "hello"
    assert room.notices == ["cut answer"]


def test_it_is_never_fuller_than_it_may(make_room: MakeRoom) -> None:
    room = make_room(size=5)
    for _ in range(50):
        room.visit()
    room.turn_until(lambda: sum(map(is_closed, room.visitors)) == 45)
    assert room.lobby.count() == (5, 0)


# What else it hears


def test_a_watched_descriptor_calls_back(room: Room) -> None:
    reader, writer = os.pipe()
    heard: list[bytes] = []
    room.lobby.watch(reader, lambda: heard.append(os.read(reader, 100)))
    os.write(writer, b"news")
    room.turn_until(lambda: heard)
    assert heard == [b"news"]
    room.lobby.unwatch(reader)
    os.close(reader)
    os.close(writer)


def test_it_does_not_turn_in_vain(room: Room) -> None:
    """An idle worker wakes a few times a second, not more."""
    room.let_in(b"", b"ha")
    turns, until = 0, time.monotonic() + 0.6
    while time.monotonic() < until:
        assert room.lobby.next() is None
        turns += 1
    assert turns <= 6


# Leaving


def test_without_anybody_it_is_empty_at_once(room: Room) -> None:
    room.lobby.close_doors(drain=True)
    assert room.drain() == []


def test_everybody_who_stands_outside_is_served(room: Room) -> None:
    """Behaviour 40."""
    for number in range(5):
        room.visit(b"%d\n" % number)
    room.lobby.close_doors(drain=True)
    assert room.drain() == list("01234")


def test_of_those_outside_one_is_served_when_others_go_on(room: Room) -> None:
    """Behaviour 53: the one for whom we may have been woken."""
    for number in range(3):
        room.visit(b"%d\n" % number)
    room.lobby.close_doors(drain=False)
    assert room.drain() == ["0"]
    sibling, _ = room.listener.accept()
    assert sibling.recv(100) == b"1\n"
    sibling.close()


def test_a_request_that_has_begun_is_waited_for(room: Room) -> None:
    """Behaviour 46."""
    head, body = room.let_in(b"hea", b"POST 5\nbo")
    room.lobby.close_doors(drain=True)
    head.send(b"d\n")
    body.send(b"dy.")
    assert sorted(room.drain()) == ["POST", "head"]


def test_nobody_is_waited_for_until_the_worker_is_killed(make_room: MakeRoom) -> None:
    room = make_room(retirement=1.0)
    room.let_in(b"hea", b"POST 5\nbo")
    room.lobby.close_doors(drain=True)
    room.turn_until(room.lobby.is_empty)
    assert room.refused == ["the worker has to leave"] * 2


def test_an_answer_that_has_begun_is_finished(room: Room) -> None:
    slow = room.visit(b"big\n")
    room.serve(BIG * 8)
    room.lobby.close_doors(drain=True)
    reader = Reader(slow)
    room.turn_until(lambda: not reader.is_alive())
    assert reader.received == BIG * 8
    assert room.lobby.is_empty()


def test_the_idle_have_a_moment_for_a_last_request(room: Room) -> None:
    """A request that is on its way when we close would be lost."""
    visitor = room.visit(b"one\n")
    room.serve()
    assert visitor.recv(100) == b"one\n"
    room.lobby.close_doors(drain=True)
    assert not is_closed(visitor)
    visitor.send(b"two\n")
    assert room.drain() == ["two"]


def test_the_silent_are_not_waited_for_long(room: Room) -> None:
    room.let_in(b"", b"")
    room.visit(b"one\n")
    room.serve()
    room.lobby.close_doors(drain=True)
    assert room.drain() == []  # in half the time that they would have had


def test_a_connection_that_comes_while_it_drains_is_served_too(room: Room) -> None:
    """Its handshake may have been half done when the doors were closed."""
    room.visit(b"one\n")
    room.lobby.close_doors(drain=True)
    room.visit(b"two\n")
    assert sorted(room.drain()) == ["one", "two"]
    eventually(room.lobby.is_empty)


def test_states_are_told_apart(room: Room) -> None:
    """What a lobby full of everybody looks like."""
    room.let_in(b"", b"ha", b"POST 10\nha")
    room.visit(b"big\n")
    room.serve(BIG * 8)
    states = {client.state for client in room.lobby._guests.values()}
    assert states == {
        ClientState.QUIET,
        ClientState.HEAD,
        ClientState.BODY,
        ClientState.DRAINING,
    }


def test_who_comes_from_a_sibling_may_be_about_to_ask(make_room: MakeRoom) -> None:
    """Behaviour 31: keep_alive has become 0, and nobody is cut short by that."""
    room = make_room(keep_alive=0.0)
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    client = Client(theirs.detach(), room.door, room.door.language.converse({}))  # type: ignore[arg-type]
    before = time.monotonic()
    room.lobby.take_in(client, b"")
    assert client.deadline >= before + lobby_module.LAST_WORD_IDLE
    ours.sendall(b"/\n")
    assert room.serve() == "/"
    ours.close()
