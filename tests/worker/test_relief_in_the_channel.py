"""Clients that were given to a worker which is busy before it has heard of them."""

import os
import socket
from typing import Any

import pytest
from serving.lines import LineConversation, LineDoor

from prefork.errors import ProtocolError
from prefork.monitor.scoreboard import Scoreboard
from prefork.system.channel import Channel
from prefork.worker.client import Client
from prefork.worker.relief import Relief


class Lobby:
    """Whoever is taken in could as well be served elsewhere."""

    def __init__(self) -> None:
        self.clients: list[Client] = []

    def take_in(self, client: Client, raw: bytes) -> None:
        self.clients.append(client)

    def movable(self) -> list[Client]:
        return list(self.clients)

    def release(self, client: Client) -> None:
        self.clients.remove(client)
        client.close()

    def count(self) -> tuple[int, int]:
        return len(self.clients), 0


class Service:
    is_serving = True


@pytest.fixture
def door() -> LineDoor:
    return LineDoor()


@pytest.fixture
def relief(channels: tuple[Channel, Channel], door: LineDoor) -> Relief:
    slot = Scoreboard().worker_slot(0)
    return Relief(Lobby(), Service(), channels[1], slot, [door])  # type: ignore


def test_they_go_on_to_a_sibling(
    relief: Relief, channels: tuple[Channel, Channel], door: LineDoor
) -> None:
    """Behaviour 50: with what they have sent, and in the middle of its request."""
    master, _ = channels
    ours, row = send_a_client(master, door)
    relief.hand_over(0, None)
    (message,) = master.receive()
    assert (message.kind, message.fields["clients"]) == ("pass on", [row])
    os.write(message.descriptors[0], b"still here")
    assert ours.recv(100) == b"still here"
    ours.close()
    os.close(message.descriptors[0])


def test_who_gives_them_away_hears_when_they_have_a_home(
    relief: Relief, channels: tuple[Channel, Channel], door: LineDoor
) -> None:
    master, worker = channels
    assert relief.is_settled
    give(relief, master, door)
    assert not relief.is_settled
    master.send("passed on")
    (message,) = worker.receive()
    relief.obey_passed_on(message)
    assert relief.is_settled


def test_without_a_master_nobody_waits_for_that(
    relief: Relief, channels: tuple[Channel, Channel], door: LineDoor
) -> None:
    master, worker = channels
    give(relief, master, door)
    master.close()
    assert list(worker.receive()) == []
    assert relief.is_settled


def test_no_more_are_on_their_way_than_the_master_can_answer(
    channels: tuple[Channel, Channel], door: LineDoor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is busy does not read; without each answer it would stay when it retires."""
    master, worker = channels
    send = worker.send

    def send_and_be_answered(kind: str, **content: Any) -> bool:
        is_sent = send(kind, **content)
        for message in master.receive():
            for fd in message.descriptors:
                os.close(fd)
            master.send("passed on")
        return is_sent

    monkeypatch.setattr(worker, "send", send_and_be_answered)
    lobby, slot = Crowd(door, master.fileno(), 1600), Scoreboard().worker_slot(0)
    relief = Relief(lobby, Service(), worker, slot, [door])  # type: ignore
    while lobby.clients:
        before = len(lobby.clients)
        relief.hand_over(0, None)
        for message in worker.receive():
            relief.obey_passed_on(message)
        assert relief.is_settled
        assert len(lobby.clients) < before


class Crowd(Lobby):
    """Clients who are all on one descriptor, and leave it open."""

    def __init__(self, door: LineDoor, fd: int, size: int) -> None:
        super().__init__()
        for _ in range(size):
            conversation = door.resume({"REMOTE_ADDR": "192.0.2.7"})
            self.clients.append(Client(fd, door, conversation))  # type: ignore

    def release(self, client: Client) -> None:
        self.clients.remove(client)


def test_who_hears_the_master_no_more_gives_nobody_away(
    relief: Relief, channels: tuple[Channel, Channel], door: LineDoor
) -> None:
    """They could not come back."""
    master, worker = channels
    ours, _ = send_a_client(master, door)
    for message in worker.hear_out():
        relief.take_in(message)
    relief.hand_over(0, None)
    assert list(master.receive()) == []
    ours.close()


def send_a_client(master: Channel, door: LineDoor) -> tuple[socket.socket, list[Any]]:
    """Its end of a connection that is given to the worker, and what goes with it."""
    ours, theirs = socket.socketpair()
    row = [door.name, {"REMOTE_ADDR": "192.0.2.7"}, ""]
    master.send("take in", descriptors=[theirs.fileno()], clients=[row])
    theirs.close()
    return ours, row


def give(relief: Relief, master: Channel, door: LineDoor) -> None:
    """One client to the worker, and from there away."""
    ours, _ = send_a_client(master, door)
    relief.hand_over(0, None)
    (message,) = master.receive()
    os.close(message.descriptors[0])
    ours.close()


class ClosedDoor(LineDoor):
    """Nobody is heard any more behind it."""

    def resume(self, remote: dict[str, str]) -> LineConversation:
        raise ProtocolError("not one of the web servers")


def test_one_who_is_not_heard_any_more_ends_no_worker(
    channels: tuple[Channel, Channel],
) -> None:
    """FCGI_WEB_SERVER_ADDRS of the code before named the client, and ours does not."""
    master, worker = channels
    door, lobby = ClosedDoor(), Lobby()
    slot = Scoreboard().worker_slot(0)
    relief = Relief(lobby, Service(), worker, slot, [door])  # type: ignore
    ours, _ = send_a_client(master, door)
    (message,) = worker.receive()
    relief.take_in(message)
    assert ours.recv(100) == b""
    assert not lobby.clients
    ours.close()


def test_what_else_the_master_says_is_heard_after_the_request(
    relief: Relief, channels: tuple[Channel, Channel]
) -> None:
    master, worker = channels
    master.send("retire", drain=False, heirs=[])
    relief.hand_over(0, None)
    assert worker.has_put_aside
    master.send("open")
    assert [message.kind for message in worker.receive()] == ["retire", "open"]
    assert not worker.has_put_aside


def test_nobody_is_given_away_twice_if_the_signal_comes_twice(
    relief: Relief,
    channels: tuple[Channel, Channel],
    door: LineDoor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two siblings would answer the same request; here somebody who comes between
    the two signals is given away as well."""
    master, worker = channels
    ours, theirs = socket.socketpair()
    row = (door.name, {"REMOTE_ADDR": "192.0.2.7"}, "")
    send, times = worker.send, []

    def send_interrupted(kind: str, **content: Any) -> bool:
        is_sent = send(kind, **content)
        times.append(kind)
        if len(times) == 1:
            master.send("take in", descriptors=[theirs.fileno()], clients=[row])
            relief.hand_over(0, None)
        return is_sent

    monkeypatch.setattr(worker, "send", send_interrupted)
    master.send("take in", descriptors=[theirs.fileno()], clients=[row])
    relief.hand_over(0, None)
    messages = list(master.receive())
    assert [len(message.descriptors) for message in messages] == [1, 1]
    for fd in (fd for message in messages for fd in message.descriptors):
        os.close(fd)
    ours.close()
    theirs.close()
