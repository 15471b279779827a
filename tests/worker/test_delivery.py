"""prefork.worker.delivery: answers that take their time to arrive."""

import socket

import pytest
from serving.room import BIG, MakeRoom, Reader, Room

from prefork.worker import delivery


def test_an_early_answer_survives_what_the_client_still_sends(room: Room) -> None:
    """RFC 9112 9.6: no reset that overtakes the answer."""
    visitor = room.visit(b"POST 3000000\n" + b"x" * 100_000)
    client = room.next()
    client.transmit(b"403\n")
    room.lobby.put_back(client, keep=False)
    visitor.setblocking(False)
    sent = 0

    def send_on() -> bool:
        nonlocal sent
        try:
            sent += visitor.send(BIG)
        except BlockingIOError:
            pass
        return sent > 2_000_000

    room.turn_until(send_on)
    visitor.setblocking(True)
    assert visitor.recv(100) == b"403\n"
    assert visitor.recv(100) == b""
    visitor.shutdown(socket.SHUT_WR)
    room.turn_until(lambda: room.lobby.count() == (0, 0))


def test_who_never_stops_sending_is_not_read_for_ever(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "LINGER", 0.3)
    visitor = room.visit(b"POST 3000000\n" + b"x" * 2000)
    client = room.next()
    room.lobby.put_back(client, keep=False)
    visitor.setblocking(False)

    def send_on() -> bool:
        try:
            visitor.send(b"x")
        except BlockingIOError:
            pass
        except ConnectionError:
            return True
        return False

    room.turn_until(send_on)


def test_a_slow_reader_drains_while_others_are_served(room: Room) -> None:
    slow = room.visit(b"big\n")
    room.serve(BIG * 8, keep=False)
    assert room.lobby.count() == (1, 1)
    room.visit(b"other\n")
    assert room.serve() == "other"
    reader = Reader(slow)
    room.turn_until(lambda: not reader.is_alive())
    assert reader.received == BIG * 8


def test_a_slow_reader_that_leaves_is_forgotten(room: Room) -> None:
    slow = room.visit(b"big\n")
    room.serve(BIG * 8)
    slow.close()
    room.turn_until(lambda: room.lobby.count() == (0, 0))


def test_a_drained_connection_carries_the_next_request(room: Room) -> None:
    visitor = room.visit(b"big\nnext\n")
    room.serve(BIG * 8)
    reader = Reader(visitor, len(BIG) * 8 + 5)
    assert room.serve() == "next"
    reader.join()
    assert reader.received == BIG * 8 + b"next\n"


def test_a_reader_that_does_not_read_has_its_deadline(make_room: MakeRoom) -> None:
    room = make_room(write=0.2)
    room.visit(b"big\n")
    room.serve(BIG * 8)
    room.turn_until(lambda: room.lobby.count() == (0, 0))
    assert room.notices == ["cut answer"]
