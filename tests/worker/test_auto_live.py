"""One listener that all protocols may come to, each connection with its own."""

import signal
import socket

import pytest
from serving import Server
from serving.wire import Wire

from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import WORDINGS, word
from prefork.protocols.table import PROTOCOLS

pytestmark = pytest.mark.process


def start(server: Server, *arguments: str) -> Server:
    server.start("-w", "1", *arguments, bind="auto://127.0.0.1:0")
    server.port = int(server.wait_log(r"listening on=auto://\S+:(\d+)")[1])
    return server


def hear(connection: socket.socket, words: bytes) -> bool:
    """Is that in what comes?"""
    answer = b""
    while words not in answer:
        data = connection.recv(4096)
        answer += data
        if not data:
            return False
    return True


@pytest.mark.parametrize("pause_after", [0, 1])
@pytest.mark.parametrize("protocol", sorted({*WORDINGS} & {*PROTOCOLS}))
def test_each_is_answered_in_its_own(
    server: Server, protocol: str, pause_after: int
) -> None:
    start(server)
    data = next(word(protocol, Question(target="/hello")))
    with server.connect() as connection:
        if pause_after:
            connection.sendall(data[:pause_after])
            assert server.get() == (200, b"hello\n")
        connection.sendall(data[pause_after:])
        assert hear(connection, b"hello\n")


def test_a_connection_goes_on_in_its_protocol(server: Server) -> None:
    start(server)
    with Wire(server.connect()) as wire:
        for _ in range(3):
            wire.request("/")
            assert wire.read_answer().body == b"hello\n"


def test_nothing_is_said_to_what_is_none_of_them(server: Server) -> None:
    start(server, "--log-level", "debug")
    assert server.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03") == b""
    server.wait_log("refused request .*reason=TLS")
    assert server.raw(b"\x80.\x01") == b""
    server.wait_log('refused request .*reason="bytes of no known protocol"')
    assert "Traceback" not in server.log


def test_who_comes_and_says_nothing_is_no_error(server: Server) -> None:
    start(server, "--log-level", "debug", "--access-logfile", "-")
    server.connect().close()
    assert server.get() == (200, b"hello\n")
    assert "refused" not in server.log


def test_a_reload_gives_a_listener_another_protocol(server: Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    settings = server.directory / "prefork.toml"
    settings.write_text(f'bind = "http://127.0.0.1:{port}"')
    server.start("-w", "1", bind=None)
    settings.write_text(f'bind = "auto://127.0.0.1:{port}"')
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    with server.connect() as connection:
        connection.sendall(next(word("scgi", Question(target="/"))))
        assert hear(connection, b"Status: 200 OK\r\n")
