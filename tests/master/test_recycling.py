"""Workers that have served long enough: replaced, one at a time, unnoticed."""

import re
import time

import pytest
from serving import Census, Load, Server, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]


def replacements(server: Server) -> int:
    return server.log.count("info replacing worker")


def fewest(server: Server, workers: int) -> int:
    """How many there were when there were fewest, of `workers` to begin with.

    By the log: a look at the processes takes as long as some of these live.
    """
    serving = lowest = workers
    events = re.findall(r"info (started|retired) worker worker", server.log)
    for event in events[workers:]:
        serving += 1 if event == "started" else -1
        lowest = min(lowest, serving)
    return lowest


def test_after_so_many_requests_a_worker_is_replaced(server: Server) -> None:
    """Behaviour 73: nobody fails, and none leaves before another is ready."""
    server.start("-w", "4", "--max-requests", "100", "--max-requests-jitter", "50")
    before = server.workers()
    with Load(server, clients=6) as load:
        eventually(lambda: replacements(server) >= 12, within=60)
        # Whoever asks last to be replaced may be one of them, and still be here.
        eventually(lambda: not set(before) & set(server.workers()), within=60)
    assert load.failures == []
    assert fewest(server, 4) == 4
    served = re.findall(r"retired worker .* requests=(\d+)", server.log)
    assert min(map(int, served)) >= 100
    assert "lost worker" not in server.log
    eventually(lambda: len(server.workers()) == 4)
    assert server.stop() == 0


def test_they_do_not_all_leave_together(server: Server) -> None:
    """Behaviour 73: eight that were born together, and serve the same."""
    server.start("-w", "8", "--max-requests", "60", "--max-requests-jitter", "60")
    with Load(server, clients=8, keep_alive=False):
        eventually(lambda: server.log.count("info retired worker") >= 8, within=60)
    # Each leaves when its replacement has come, and only one is on its way.
    assert fewest(server, 8) == 8


def test_without_a_number_nobody_is_replaced(server: Server) -> None:
    server.start("-w", "1")
    with Load(server) as load:
        eventually(lambda: load.answered > 500, within=30)
    assert replacements(server) == 0


def test_a_worker_that_has_grown_too_big_is_replaced(server: Server) -> None:
    """Behaviour 74: between two requests, and when another is ready."""
    server.start("-w", "2", "--max-rss", "150M")
    with Load(server, clients=2) as load:
        for _ in range(40):
            assert server.get("/leak?mb=20")[0] == 200
            if replacements(server):
                break
            time.sleep(0.05)  # memory is looked at once a second
        server.wait_log('replacing worker .*reason="max-rss 157286400: ')
        server.wait_log("info retired worker")
    assert load.failures == []
    assert "lost worker" not in server.log
    started = [m.start() for m in re.finditer("info started worker", server.log)]
    assert started[2] < server.log.index("info retired worker")


def test_a_worker_that_is_old_is_replaced(server: Server) -> None:
    server.start("-w", "2", "--max-lifetime", "1")
    before = server.workers()
    with Load(server, clients=2) as load, Census(server) as census:
        eventually(lambda: not set(before) & set(server.workers()))
    assert load.failures == []
    assert min(census.counts) >= 2


def test_an_idle_worker_that_is_old_is_replaced_too(server: Server) -> None:
    server.start("-w", "1", "--max-lifetime", "1")
    (before,) = server.workers()
    eventually(lambda: before not in server.workers())
    assert "reason=max-lifetime" in server.log
    assert server.get("/")[0] == 200
