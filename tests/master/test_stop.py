"""Stopping: everyone who was let in is answered, within bounds."""

import re
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from serving import Load, Server, eventually
from serving.eventually import PATIENCE

pytestmark = pytest.mark.process


def ask(server: Server, path: str) -> socket.socket:
    """A client that has asked, and waits for its answer."""
    client = server.connect(timeout=20)
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    return client


def read_answer(client: socket.socket) -> bytes:
    """Everything that came; [RESET] at the end if it ended so."""
    answer = b""
    with client:
        try:
            while data := client.recv(65536):
                answer += data
        except ConnectionResetError:
            answer += b"[RESET]"
    return answer


def is_whole(answer: bytes) -> bool:
    return answer.startswith(b"HTTP/1.1 200 OK") and b"[RESET]" not in answer


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_everyone_in_the_queue_is_answered(server: Server, number: int) -> None:
    """Behaviour 40."""
    server.start("-w", "1")
    clients = [ask(server, "/sleep?s=0.3&say=asleep")]
    server.wait_log("asleep")
    clients += [ask(server, f"/sleep?s=0.0{n}") for n in range(1, 5)]
    server.signal(number)
    assert [is_whole(read_answer(client)) for client in clients] == [True] * 5
    assert server.wait() == 0


def test_everyone_in_the_queue_of_a_unix_socket_is_answered(server: Server) -> None:
    """Behaviour 40."""
    path = server.directory / "app.sock"
    server.start("-w", "1", bind=f"unix:{path}")
    clients = []
    for number in range(5):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        client.connect(str(path))
        client.sendall(
            b"GET /sleep?s=0.1&say=asleep HTTP/1.1\r\n"
            b"Host: x\r\nConnection: close\r\n\r\n"
        )
        clients.append(client)
        if not number:
            server.wait_log("asleep")
    server.signal(signal.SIGTERM)
    assert [is_whole(read_answer(client)) for client in clients] == [True] * 5
    assert server.wait() == 0
    assert not path.exists()


@pytest.mark.slow
def test_a_crowd_at_the_door_does_not_keep_the_server_from_stopping(
    server: Server,
) -> None:
    """Behaviour 41: later clients are refused, none is let in and then reset."""
    server.start("-w", "2")
    with Load(server, clients=4) as load:
        eventually(lambda: load.answered > 50)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5 * PATIENCE
        eventually(lambda: any("refused" in f.reason for f in load.failures))
    assert load.cut == []


@pytest.mark.slow
def test_a_stuck_request_is_dumped_killed_and_counted(server: Server) -> None:
    """Behaviour 42."""
    server.start("-w", "2", "-t", "60", "--graceful-timeout", "1")
    with ask(server, "/sleep?s=3600&say=asleep"):
        server.wait_log("asleep")
        assert server.stop() == 75
    assert "in sleep\n" in server.log
    assert "killed by prefork: over its graceful timeout" in server.log
    assert "requests_cut=1" in server.log
    assert "127.0.0.1 GET /sleep?s=3600&say=asleep" in server.log


@pytest.mark.slow
def test_a_worker_that_is_deaf_to_signals_is_killed_on_schedule(
    server: Server,
) -> None:
    """Behaviour 43."""
    server.start("-w", "1", "-t", "60", "--graceful-timeout", "1")
    with ask(server, "/deaf?s=3600&say=asleep"):
        server.wait_log("asleep")
        began = time.monotonic()
        assert server.stop() == 75
    assert 0.9 < time.monotonic() - began < 6 * PATIENCE
    assert 'cause="killed by prefork: over its graceful timeout"' in server.log


@pytest.mark.parametrize("delay", [0.0, 0.05, 0.1, 0.2])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_start_leaves_nothing(
    server: Server, delay: float, number: int
) -> None:
    """Behaviour 44: whenever it comes."""
    server.start("-w", "4", app="hangs_at_import", wait=False)
    server.wait_log("listening on=")
    time.sleep(delay)  # not for synchronisation: the moment is what varies
    began = time.monotonic()
    assert server.stop(number) == 0
    assert time.monotonic() - began < 3 * PATIENCE
    assert server.processes() == {}


def test_a_stop_before_the_master_listens_ends_it_too(server: Server) -> None:
    """Behaviour 44."""
    server.start(wait=False)
    assert server.stop() in (0, -signal.SIGTERM)
    assert server.processes() == {}


def test_a_second_term_leaves_half_a_second(server: Server) -> None:
    """Behaviour 45."""
    server.start("-w", "1", "-t", "60")
    with ask(server, "/sleep?s=3600&say=asleep"):
        server.wait_log("asleep")
        server.signal(signal.SIGTERM)
        server.wait_log("received signal signal=SIGTERM")
        began = time.monotonic()
        assert server.stop() == 75
    assert 0.3 < time.monotonic() - began < 5 * PATIENCE


def test_a_third_term_leaves_nothing(server: Server) -> None:
    """Behaviour 45."""
    server.start("-w", "1", "-t", "60")
    with ask(server, "/deaf?s=3600&say=asleep"):
        server.wait_log("asleep")
        for count in (1, 2, 3):
            server.signal(signal.SIGTERM)
            eventually(lambda count=count: server.log.count("=SIGTERM") == count)
        assert server.wait() == 75
    assert "killed by prefork: stopped at once" in server.log


def test_int_lets_a_short_request_finish(server: Server) -> None:
    """Behaviour 45."""
    server.start("-w", "1")
    client = ask(server, "/sleep?s=0.2&say=asleep")
    server.wait_log("asleep")
    assert server.stop(signal.SIGINT) == 0
    assert is_whole(read_answer(client))


def test_int_cuts_a_long_one_soon(server: Server) -> None:
    """Behaviour 45."""
    server.start("-w", "1", "-t", "60")
    with ask(server, "/sleep?s=3600&say=asleep"):
        server.wait_log("asleep")
        began = time.monotonic()
        assert server.stop(signal.SIGINT) == 75
    assert time.monotonic() - began < 5 * PATIENCE


def test_an_int_from_the_terminal_is_for_the_master_alone(server: Server) -> None:
    """Behaviour 45: workers and templates are in sessions of their own."""
    server.start("-w", "2")
    sessions = {pid: session_of(pid) for pid in server.processes()}
    assert [p for p, s in sessions.items() if s == server.pid] == [server.pid]
    assert server.stop() == 0


def session_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[3])


def test_a_body_that_is_still_arriving_is_waited_for(server: Server) -> None:
    """Behaviour 46."""
    server.start("-w", "1")
    with server.connect() as client:
        client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n")
        client.sendall(b"hello")
        assert server.get("/")[0] == 200  # so it has been accepted
        server.signal(signal.SIGTERM)
        server.wait_log("received signal")
        client.sendall(b"world")
        answer = client.recv(65536)
    assert answer.startswith(b"HTTP/1.1 200 OK") and answer.endswith(b"helloworld")
    assert server.wait() == 0


@pytest.mark.slow
def test_a_body_that_never_arrives_is_answered_408(server: Server) -> None:
    """Behaviour 46: and not reset."""
    server.start("-w", "1", "--body-timeout", "1")
    client = server.connect()
    client.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhello")
    assert server.get("/")[0] == 200
    server.signal(signal.SIGTERM)
    answer = read_answer(client)
    assert answer.startswith(b"HTTP/1.1 408 ") and b"[RESET]" not in answer
    assert server.wait() == 0


def test_an_idle_connection_does_not_keep_the_server_from_stopping(
    server: Server,
) -> None:
    server.start("-w", "1", "--keep-alive", "60")
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"hello" in client.recv(65536)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 5 * PATIENCE
        assert client.recv(65536) == b""


def test_a_slow_reader_gets_all_of_its_answer(server: Server) -> None:
    server.start("-w", "1")
    client = ask(server, "/big?size=20000000")
    eventually(lambda: client.recv(1000))  # it is on its way, and far from through
    stopping = threading.Thread(target=server.stop)
    stopping.start()
    size = 1000
    while data := client.recv(1 << 20):
        size += len(data)
    client.close()
    stopping.join()
    assert size > 20_000_000
    assert server.wait() == 0


def test_what_an_application_registered_with_atexit_runs_once_per_worker(
    server: Server,
) -> None:
    """Behaviour 47."""
    server.start("-w", "3", app="says_goodbye:wsgi")
    workers = server.workers()
    assert server.stop() == 0
    goodbyes = (server.directory / "goodbyes").read_text().split()
    assert sorted(map(int, goodbyes)) == workers


def test_the_last_line_says_that_the_master_has_stopped(server: Server) -> None:
    server.start("-w", "1")
    assert server.stop() == 0
    last = server.log.splitlines()[-1]
    assert re.search(rf"info stopped master pid={server.pid}$", last)
