"""--slow: a request that runs long is explained, and goes on."""

import time

import pytest
from serving import Server

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_a_slow_request_is_explained_once_and_succeeds(server: Server) -> None:
    """Behaviour 65: one dump that names the application's frame."""
    server.start("-w", "1", "--slow", "0.4")
    with server.connect() as client:
        client.sendall(b"GET /hold?until=explained HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("slow request .*over=.*request=.*hold")
        server.wait_log('app.py", line .* in hold')
        time.sleep(1)  # time enough for another
        (server.directory / "explained").touch()
        assert client.recv(65536).endswith(b"held\n")
    assert server.log.count("slow request") == 1
    assert server.log.count("in hold") == 1
    assert server.get("/hello") == (200, b"hello\n")
    assert server.stop() == 0


def test_a_slow_computation_in_c_is_explained_too(server: Server) -> None:
    """Behaviour 66: the dump needs no turn of the interpreter."""
    server.start("-w", "1", "--slow", "0.3", "--timeout", "4")
    with pytest.raises(ConnectionError):
        server.get("/spin")
    server.wait_log("slow request")
    assert "in spin" in server.log
    server.wait_log("lost worker .*over its 4 s deadline")
    assert server.stop() == 0


def test_a_system_call_is_not_interrupted(server: Server) -> None:
    """Behaviour 66: the application never sees EINTR."""
    server.start("-w", "1", "--slow", "0.3")
    assert server.get("/read-late?s=3") == (200, b"late\n")
    assert server.log.count("in read_late") == 1
    assert server.stop() == 0


def test_a_worker_explains_itself_every_now_and_then_only(server: Server) -> None:
    """Behaviour 65: six times a minute at most; and each worker for itself."""
    server.start("-w", "1", "--slow", "0.2")
    for _ in range(3):
        assert server.get("/sleep?s=0.8")[0] == 200
    assert server.log.count("slow request") == 1
    assert server.log.count("in sleep") == 1
    assert server.stop() == 0


def test_nobody_is_slow_unless_the_operator_says_so(server: Server) -> None:
    server.start("-w", "1")
    assert server.get("/sleep?s=1")[0] == 200
    assert "slow request" not in server.log
