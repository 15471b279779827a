"""prefork.worker.client: one connection, what arrives and what leaves."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving.lines import LineDoor

from prefork.errors import ClientGone, ProtocolError
from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.proxy import Proxy
from prefork.worker.client import Client, ClientState
from prefork.worker.outgoing import FilePart

BIG = b"x" * (1 << 20)


@pytest.fixture
def ends() -> Iterator[tuple[Client, socket.socket]]:
    """A connection as the worker has it, and the client's end."""
    server, far = socket.socketpair()
    server.setblocking(False)
    far.settimeout(5)
    door = LineDoor()
    conversation = door.language.converse({"REMOTE_ADDR": "::1"})
    client = Client(server.detach(), door, conversation)  # type: ignore[arg-type]
    yield client, far
    far.close()
    if client.fd >= 0:
        client.close()


@pytest.fixture
def client(ends: tuple[Client, socket.socket]) -> Client:
    return ends[0]


@pytest.fixture
def far(ends: tuple[Client, socket.socket]) -> socket.socket:
    return ends[1]


def receive(client: Client, data: bytes, *, body_buffer: int = 100) -> bool:
    return client.receive(data, body_buffer=body_buffer)


def test_a_head_makes_a_request(client: Client) -> None:
    assert client.is_fresh
    assert receive(client, b"GET\n")
    assert client.state is ClientState.SERVING
    assert not client.is_fresh
    assert client.request is not None
    assert client.request.variables["REMOTE_ADDR"] == "::1"


def test_who_wants_another_request_wants_to_stay(client: Client) -> None:
    assert not client.wants_to_stay, "it has not asked for anything yet"
    receive(client, b"GET\n")
    assert client.wants_to_stay
    assert client.request is not None
    client.request.keep_alive = False
    assert not client.wants_to_stay


def test_a_part_of_a_head_does_not(client: Client) -> None:
    assert not receive(client, b"GE")
    assert client.state is ClientState.HEAD
    assert receive(client, b"T\n")


def test_a_small_body_is_waited_for(client: Client) -> None:
    assert not receive(client, b"POST 10\nhello")
    assert client.state is ClientState.BODY
    assert receive(client, b"world")
    assert b"".join(client.parts) == b"helloworld"


def test_a_large_body_is_waited_for_up_to_the_buffer(client: Client) -> None:
    assert not receive(client, b"POST 1000\n" + b"x" * 99)
    assert receive(client, b"x")
    assert client.size == 100


def test_a_body_that_waits_for_us_is_not_waited_for(client: Client) -> None:
    assert receive(client, b"POST 10 wait\n")
    assert client.state is ClientState.SERVING


def test_what_came_in_one_piece_can_move_to_a_sibling(client: Client) -> None:
    assert receive(client, b"POST 4\nbody")
    assert client.can_move
    assert client.raw == b"POST 4\nbody"


def test_who_is_silent_can_move_to_a_sibling(client: Client) -> None:
    """Whether it has had an answer or not."""
    assert client.can_move
    assert receive(client, b"one\n")
    client.next_request()
    assert client.can_move


def test_who_has_first_to_say_who_it_is_cannot_move() -> None:
    """A sibling would take its PROXY header for a request."""
    language = Proxy(LineDoor().language, TrustedPeers(["*"]))  # type: ignore[arg-type]
    conversation = language.converse({"REMOTE_ADDR": ""})
    client = Client(-1, LineDoor(), conversation)  # type: ignore[arg-type]
    assert not client.can_move


def test_what_came_in_pieces_cannot_move(client: Client) -> None:
    """A sibling would be given the first, and wait for the others for ever."""
    assert not receive(client, b"POST 4\nbo")
    assert receive(client, b"dy")
    assert not client.can_move


def test_each_body_has_a_beginning_of_its_own(client: Client) -> None:
    receive(client, b"POST 10\nhello")
    client.since = 1.0  # set by the lobby, which has the clock
    receive(client, b"there")
    client.next_request()
    assert client.since == 0.0


def test_what_cannot_be_a_request_is_an_error(client: Client) -> None:
    with pytest.raises(ProtocolError):
        receive(client, b"bad\n")
    with pytest.raises(ProtocolError):
        receive(client, b"POST 10\n!")


@pytest.mark.parametrize("request_", [b"GET\n", b"POST 3\nabc"])
def test_the_next_request_is_kept(client: Client, request_: bytes) -> None:
    """Pipelining."""
    assert receive(client, request_ + b"NEXT\n")
    assert client.has_unread_input()
    assert client.next_request() == b"NEXT\n"
    assert client.state is ClientState.QUIET
    assert client.parts == []
    assert receive(client, b"POST 2\nxy")
    assert b"".join(client.parts) == b"xy"


@pytest.mark.parametrize(
    ("received", "is_unread"),
    [(b"GET\n", False), (b"POST 3\nabc", False), (b"POST 200\n" + b"x" * 100, True)],
)
def test_knows_whether_all_was_read(
    client: Client, received: bytes, is_unread: bool
) -> None:
    receive(client, received)
    assert client.has_unread_input() is is_unread


def test_a_refused_client_may_have_said_more(client: Client) -> None:
    assert client.has_unread_input()


def test_what_the_socket_takes_leaves_nothing(
    client: Client, far: socket.socket
) -> None:
    client.transmit(b"hello")
    assert client.outgoing is None
    assert far.recv(100) == b"hello"


def test_what_it_does_not_take_leaves_later(client: Client, far: socket.socket) -> None:
    client.transmit(BIG)
    client.transmit(b"the end")
    assert not client.flush()
    received = b""
    while not client.flush():
        received += far.recv(1 << 20)
    assert client.outgoing is None
    client.shut()
    while data := far.recv(1 << 20):
        received += data
    assert received == BIG + b"the end"


def test_a_client_that_left_is_gone(client: Client, far: socket.socket) -> None:
    far.close()
    with pytest.raises(ClientGone):
        client.transmit(b"hello")


def test_nothing_is_outgoing_to_a_client_that_left(
    client: Client, far: socket.socket, tmp_path: Path
) -> None:
    """The gateway closes the file, and nobody must try to send it again."""
    path = tmp_path / "file"
    path.write_bytes(BIG)
    far.close()
    file = path.open("rb")
    with pytest.raises(ClientGone):
        client.transmit_file(FilePart(file, 0, len(BIG)))
    assert file.closed
    assert client.flush()


def test_after_shut_the_client_may_still_speak(
    client: Client, far: socket.socket
) -> None:
    client.shut()
    assert far.recv(100) == b""
    far.send(b"last words")
    assert os.read(client.fd, 100) == b"last words"


def test_to_shut_a_client_that_left_is_no_error(
    client: Client, far: socket.socket
) -> None:
    far.close()
    client.shut()


def test_close_drops_what_was_outgoing(client: Client, far: socket.socket) -> None:
    client.transmit(BIG)
    client.close()
    while far.recv(1 << 20):
        pass


def test_nobody_is_reached_once_it_is_closed(client: Client) -> None:
    """Whatever has its number by then."""
    client.close()
    with pytest.raises(ClientGone):
        client.transmit(b"for somebody else")
