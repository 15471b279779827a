"""An application that extends its own deadline, and one that asks for too much."""

import pytest
from serving import Server, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_who_asks_for_more_time_gets_it(server: Server) -> None:
    """Behaviour 68: a request that is longer than the timeout is answered."""
    server.start("-w", "1", "-t", "3")
    assert server.get("/extend?by=20&s=4") == (200, b"slept\n")
    assert "lost worker" not in server.log
    assert server.stop() == 0


def test_the_next_request_has_the_usual_deadline(server: Server) -> None:
    server.start("-w", "1", "-t", "3")
    assert server.get("/extend?by=20&s=0")[0] == 200
    with pytest.raises(ConnectionError):
        server.get("/sleep?s=30")
    server.wait_log("killed by prefork: request over its 3 s deadline")


def test_nobody_gets_more_than_the_limit(server: Server) -> None:
    """Behaviour 68: the cap is enforced."""
    server.start("-w", "1", "-t", "1", "--max-timeout", "2")
    with pytest.raises(ConnectionError):
        server.get("/extend?by=20&s=30")
    server.wait_log("killed by prefork: request over its 2 s deadline")
    eventually(lambda: server.get("/")[0] == 200)
