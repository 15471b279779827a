"""prefork.worker.outgoing: answers on their way to slow readers."""

import os
import random
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.errors import ClientGone
from prefork.worker.outgoing import BytesPart, FilePart, Outgoing

BIG = random.Random(1).randbytes(1 << 20)


class Connection:
    """A server's descriptor with a small buffer, and the client at its far end."""

    def __init__(self) -> None:
        self.server, self.client = socket.socketpair()
        self.server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.server.setblocking(False)
        self.client.setblocking(False)
        self.fd = self.server.fileno()

    def read(self, most: int = 1 << 20) -> bytes:
        """What has arrived."""
        try:
            return self.client.recv(most)
        except BlockingIOError:
            return b""

    def close(self) -> None:
        self.server.close()
        self.client.close()


@pytest.fixture
def connection() -> Iterator[Connection]:
    connection = Connection()
    yield connection
    connection.close()


@pytest.fixture
def big_file(tmp_path: Path) -> BinaryIO:
    path = tmp_path / "big"
    path.write_bytes(BIG)
    return path.open("rb")


def read_while_flushing(outgoing: Outgoing, connection: Connection) -> bytes:
    """Until everything is gone; all that the client got."""
    received = b""
    for _ in range(10_000):
        is_gone = outgoing.flush(connection.fd)
        received += connection.read()
        if is_gone:
            return received
    raise AssertionError("nothing moves")


def test_what_the_socket_takes_is_gone_at_once(connection: Connection) -> None:
    outgoing = Outgoing()
    outgoing.add(BytesPart(b"hello"))
    assert outgoing.size == 5
    assert outgoing.flush(connection.fd)
    assert outgoing.size == 0
    assert connection.read() == b"hello"


def test_what_it_does_not_take_stays(connection: Connection) -> None:
    outgoing = Outgoing()
    outgoing.add(BytesPart(BIG))
    assert not outgoing.flush(connection.fd)
    assert 0 < outgoing.size < len(BIG)
    got = connection.read()
    assert outgoing.size == len(BIG) - len(got)
    assert got + read_while_flushing(outgoing, connection) == BIG


def test_nothing_is_gone_already(connection: Connection) -> None:
    assert Outgoing().flush(connection.fd)


def test_a_file_follows_its_head(connection: Connection, big_file: BinaryIO) -> None:
    outgoing = Outgoing()
    outgoing.add(BytesPart(b"head"))
    outgoing.add(FilePart(big_file, 100, len(BIG) - 200))
    outgoing.add(BytesPart(b"tail"))
    assert outgoing.size == 8, "a file takes no memory"
    received = read_while_flushing(outgoing, connection)
    assert received == b"head" + BIG[100:-100] + b"tail"
    assert big_file.closed


def test_a_file_that_became_shorter_is_no_whole_answer(
    connection: Connection, big_file: BinaryIO
) -> None:
    outgoing = Outgoing()
    outgoing.add(FilePart(big_file, 0, len(BIG)))
    outgoing.flush(connection.fd)
    os.truncate(big_file.name, 10)
    with pytest.raises(ClientGone, match="shorter"):
        read_while_flushing(outgoing, connection)
    outgoing.discard()
    assert big_file.closed


def test_a_file_that_was_closed_meanwhile_is_no_whole_answer(
    connection: Connection, big_file: BinaryIO
) -> None:
    """By the application, which may have kept it."""
    outgoing = Outgoing()
    outgoing.add(FilePart(big_file, 0, len(BIG)))
    assert not outgoing.flush(connection.fd)
    big_file.close()
    with pytest.raises(ClientGone, match="closed file"):
        read_while_flushing(outgoing, connection)


def test_a_file_of_nothing_is_sent_and_closed(
    connection: Connection, big_file: BinaryIO
) -> None:
    """As after HEAD, or an empty file."""
    outgoing = Outgoing()
    outgoing.add(BytesPart(b"head"))
    outgoing.add(FilePart(big_file, 0, 0))
    assert read_while_flushing(outgoing, connection) == b"head"
    assert big_file.closed


@pytest.mark.parametrize("size", [1, len(BIG)])
def test_a_client_that_is_gone_is_said_to_be(connection: Connection, size: int) -> None:
    outgoing = Outgoing()
    outgoing.add(BytesPart(BIG[:size]))
    connection.client.close()
    with pytest.raises(ClientGone, match="could not send"):
        outgoing.flush(connection.fd)


def test_to_discard_closes_the_files(big_file: BinaryIO) -> None:
    outgoing = Outgoing()
    outgoing.add(BytesPart(b"head"))
    outgoing.add(FilePart(big_file, 0, 10))
    outgoing.discard()
    assert big_file.closed
    assert outgoing.size == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=12), st.integers())
def test_any_parts_arrive_in_order(sizes: list[int], seed: int) -> None:
    # Not st.randoms(): each byte of the parts would count as an input of the test.
    luck = random.Random(seed)
    outgoing, expected, received = Outgoing(), b"", b""
    with closing(Connection()) as connection:
        for size in sizes:
            data = luck.randbytes(size)
            expected += data
            outgoing.add(BytesPart(data))
            if luck.random() < 0.5:
                outgoing.flush(connection.fd)
                received += connection.read(luck.randrange(1, 30_000))
            assert outgoing.size <= len(expected) - len(received)
        received += read_while_flushing(outgoing, connection)
        while more := connection.read():
            received += more
    assert received == expected
    assert outgoing.size == 0
