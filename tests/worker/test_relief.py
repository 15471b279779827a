"""Kept-alive clients do not wait behind a long request while a sibling is idle."""

import http.client
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from serving import Server, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

LONG = 15.0  # seconds that the long request takes


class Kept:
    """A connection that stays open between its requests."""

    def __init__(self, server: Server) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, 30)

    def ask(self, path: str = "/pid") -> str:
        self.connection.request("GET", path)
        return self.connection.getresponse().read().decode()

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def keep(server: Server, stack: ExitStack, count: int) -> list[Kept]:
    """Connections that have had an answer, each to `pid`."""
    clients = []
    for _ in range(count):
        clients.append(Kept(server))
        stack.callback(clients[-1].close)
    for client in clients:
        client.ask()
    return clients


def count_descriptors(server: Server) -> int:
    """Of the master and its workers."""
    pids = [server.pid, *server.workers()]
    return sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)


def test_they_move_to_an_idle_sibling(server: Server, stack: ExitStack) -> None:
    """Behaviours 50, 52: whoever was answered by the busy worker asks on."""
    server.start("-w", "2", "--keep-alive", "60", "--timeout", "60")
    homes: dict[Kept, str] = {}
    while len(set(homes.values())) < 2:  # one of them may have all of the first
        homes |= {client: client.ask() for client in keep(server, stack, 12)}
    busy, _ = Counter(homes.values()).most_common(1)[0]
    first, *neighbours = [client for client in homes if homes[client] == busy]
    first.connection.request("GET", f"/sleep?s={LONG}")
    began = time.monotonic()
    assert neighbours
    assert {client.ask() for client in neighbours} == {*homes.values()} - {busy}
    assert time.monotonic() - began < LONG - 3
    # They stay there, and the busy one answers its own client in the end.
    assert first.connection.getresponse().status == 200
    assert {client.ask() for client in neighbours} == {*homes.values()} - {busy}


def test_the_request_itself_notices_nothing(server: Server, stack: ExitStack) -> None:
    server.start("-w", "2", "--keep-alive", "60")
    clients = keep(server, stack, 6)
    began = time.monotonic()
    answers = [client.ask("/sleep?s=1.5") for client in clients[:1]]
    assert time.monotonic() - began >= 1.4, "it was not woken from its sleep"
    assert answers
    assert server.log.count("application failed") == 0


def test_with_one_worker_they_stay(server: Server, stack: ExitStack) -> None:
    server.start("-w", "1", "--keep-alive", "60")
    clients = keep(server, stack, 3)
    clients[0].connection.request("GET", "/sleep?s=1.5")
    pid = clients[1].ask()
    clients[0].connection.getresponse().read()
    assert {client.ask() for client in clients} == {pid}


def test_no_descriptor_is_left_behind(server: Server, stack: ExitStack) -> None:
    server.start("-w", "2", "--keep-alive", "60")
    before = count_descriptors(server)
    clients = keep(server, stack, 8)
    for _ in range(3):
        clients[0].ask("/sleep?s=1.5")
    for client in clients:
        client.ask()
        client.close()
    eventually(lambda: count_descriptors(server) <= before)


def test_what_they_have_sent_moves_with_them_whatever_it_is(
    server: Server, stack: ExitStack
) -> None:
    """In JSON such a byte takes six; and the master must not stumble over it."""
    server.start("-w", "2", "--keep-alive", "60")
    clients = keep(server, stack, 24)
    homes = {client: int(client.ask()) for client in clients}
    busy = max(homes.values(), key=list(homes.values()).count)
    # The last one whom it has answered may still be in the epoll's list of the ready,
    # and so stands in front whoever asks next.
    *others, first = [client for client in clients if homes[client] == busy]
    os.kill(busy, signal.SIGSTOP)
    first.connection.request("GET", "/sleep?s=6")
    for client in others:
        client.connection.request("POST", "/pid", body=b"\1" * 3900)
    os.kill(busy, signal.SIGCONT)
    answers = {client.connection.getresponse().read() for client in others}
    assert answers.isdisjoint({str(busy).encode()})
    assert first.connection.getresponse().status == 200


@pytest.mark.parametrize(("options", "is_on"), [([], True), (["--no-relief"], False)])
def test_it_can_be_turned_off(server: Server, options: list[str], is_on: bool) -> None:
    """Then no signal comes into the middle of the application."""
    server.start("-w", "1", *options)
    [pid] = server.workers()
    with open(f"/proc/{pid}/status") as file:
        fields = dict(line.rstrip("\n").split(":", 1) for line in file)
    caught = int(fields["SigCgt"], 16) >> (signal.SIGURG - 1) & 1
    assert bool(caught) is is_on
