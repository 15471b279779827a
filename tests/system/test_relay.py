"""A relay: passes on what is said, and how it ends."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from serving import eventually

from prefork.protocols.watching.events import Side
from prefork.system.address import Address, AddressKind
from prefork.system.listen import close, open_listener
from prefork.system.relay import RESET_ON_CLOSE, Relay


class Memory:
    """An observer that remembers."""

    def __init__(self) -> None:
        self.said_by: dict[tuple[int, Side], bytes] = {}
        self.ended: list[tuple[int, Side]] = []
        self.peers: dict[int, str] = {}
        self.reasons: dict[int, str] = {}
        self.waits = 0

    def opened(self, at: float, number: int, peer: str) -> None:
        self.peers[number] = peer

    def said(self, at: float, number: int, side: Side, data: bytes) -> None:
        self.said_by[number, side] = self.said_by.get((number, side), b"") + data
        if not data:
            self.ended.append((number, side))

    def closed(self, at: float, number: int, reason: str) -> None:
        self.reasons[number] = reason

    def waited(self, at: float) -> None:
        self.waits += 1


class Between:
    """A relay in a thread, in front of a listener of ours."""

    def __init__(self, target: Address) -> None:
        self.memory = Memory()
        self._door = open_listener(Address(AddressKind.TCP, host="127.0.0.1", port=0))
        self._relay = Relay(self._door, target, self.memory)
        self._thread = threading.Thread(target=asyncio.run, args=[self._run()])
        self._is_running = threading.Event()

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._relay.run())
        self._is_running.set()
        await asyncio.wait([self._task])

    def __enter__(self) -> "Between":
        self._thread.start()
        self._is_running.wait()
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(10)
        close(self._door)

    def connect(self) -> socket.socket:
        return socket.create_connection(self._door.socket.getsockname(), 10)


@pytest.fixture
def backend() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        yield listener


def address_of(backend: socket.socket) -> Address:
    return Address(AddressKind.TCP, host="127.0.0.1", port=backend.getsockname()[1])


@contextmanager
def passage(
    backend: socket.socket,
) -> Iterator[tuple[Between, socket.socket, socket.socket]]:
    """The relay, a client of it, and the server's end of that client's connection."""
    with Between(address_of(backend)) as between, between.connect() as client:
        server, _ = backend.accept()
        server.settimeout(10)
        with server:
            yield between, client, server


def test_passes_on_both_ways_and_tells(backend: socket.socket) -> None:
    with passage(backend) as (between, client, server):
        client.send(b"question")
        assert server.recv(100) == b"question"
        server.send(b"answer")
        assert client.recv(100) == b"answer"
        memory = between.memory
        assert memory.said_by == {
            (1, Side.CLIENT): b"question",
            (1, Side.SERVER): b"answer",
        }
        assert memory.peers[1] == f"127.0.0.1:{client.getsockname()[1]}"


def test_an_end_is_that_of_one_direction(backend: socket.socket) -> None:
    with passage(backend) as (between, client, server):
        client.shutdown(socket.SHUT_WR)
        assert server.recv(100) == b""
        server.send(b"still here")
        assert client.recv(100) == b"still here"
        server.close()
        assert client.recv(100) == b""
        eventually(lambda: between.memory.reasons == {1: ""})
        assert between.memory.ended == [(1, Side.CLIENT), (1, Side.SERVER)]


@pytest.mark.parametrize("side", Side)
def test_a_reset_is_passed_on_as_one(backend: socket.socket, side: Side) -> None:
    with passage(backend) as (between, client, server):
        ends = {Side.CLIENT: client, Side.SERVER: server}
        here = ends.pop(side)
        (there,) = ends.values()
        here.send(b"before")
        assert there.recv(100) == b"before"
        here.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        here.close()
        with pytest.raises(ConnectionResetError):
            there.recv(100)
        eventually(lambda: between.memory.reasons == {1: f"reset by the {side.value}"})


def test_an_answer_that_comes_before_the_question_has_ended_arrives(
    backend: socket.socket,
) -> None:
    with passage(backend) as (_, client, server):
        client.send(b"x" * 1000)
        server.recv(10)
        server.send(b"too long")
        server.shutdown(socket.SHUT_WR)
        assert client.recv(100) == b"too long"
        assert client.recv(100) == b""


def test_who_does_not_read_is_not_read_from_without_end(backend: socket.socket) -> None:
    with passage(backend) as (between, client, server):
        client.settimeout(0.5)
        with pytest.raises(TimeoutError):
            client.sendall(bytes(100 << 20))
        assert len(between.memory.said_by[1, Side.CLIENT]) < 100 << 20
        assert server.recv(1) == b"\0"


def test_many_connections_at_once(backend: socket.socket) -> None:
    with passage(backend) as (between, _, _):
        clients = [between.connect() for _ in range(20)]
        servers = [backend.accept()[0] for _ in clients]
        for client in reversed(clients):
            client.send(b"me")
        heard = [server.recv(10) for server in servers]
        assert heard == [b"me"] * 20
        for each in (*clients, *servers):
            each.close()
        eventually(lambda: len(between.memory.reasons) == 20)


def test_a_target_that_is_not_there_is_said_and_the_client_reset(
    tmp_path: Path,
) -> None:
    target = Address(AddressKind.UNIX, path=f"{tmp_path}/none")
    with Between(target) as between:
        for number in (1, 2):
            # It comes so soon that connect(2) may be the one to tell.
            with pytest.raises(ConnectionResetError), between.connect() as client:
                client.recv(100)
            reason = (
                f"cannot connect to unix:{tmp_path}/none: no such file or directory"
            )
            eventually(lambda n=number, r=reason: between.memory.reasons.get(n) == r)


def test_a_port_where_nobody_listens_is_said_in_the_words_of_the_system() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Between(Address(AddressKind.TCP, host="127.0.0.1", port=port)) as between:
        try:
            between.connect().close()
        except ConnectionResetError:
            pass  # it came as soon as this
        reason = f"cannot connect to 127.0.0.1:{port}: connection refused"
        eventually(lambda: between.memory.reasons.get(1) == reason)


def test_a_target_whose_queue_is_full_is_waited_for(tmp_path: Path) -> None:
    target = Address(AddressKind.UNIX, path=f"{tmp_path}/s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(target.path)
        listener.listen(0)
        with Between(target) as between, between.connect() as first:
            first.send(b"1")
            eventually(lambda: between.memory.said_by)
            with between.connect() as second:
                second.send(b"2")
                eventually(lambda: len(between.memory.peers) == 2)
                for said in (b"1", b"2"):
                    with listener.accept()[0] as server:
                        assert server.recv(1) == said


def test_it_tells_that_time_passes_and_how_it_was_ended(backend: socket.socket) -> None:
    with ExitStack() as still_open, Between(address_of(backend)) as between:
        still_open.enter_context(between.connect())
        still_open.enter_context(backend.accept()[0])
        eventually(lambda: between.memory.waits)
    assert between.memory.reasons == {1: "still open"}
