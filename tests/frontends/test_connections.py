"""The connections that front ends keep cost no worker, and survive reloads."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from signal import SIGHUP

import pytest
from serving import Load, eventually
from serving.front_end import FrontEnd
from serving.pool import Pool

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]


def test_connections_are_kept(front: FrontEnd) -> None:
    """One that is kept leads to the same worker, and others to one after the other."""
    pids = set()
    with closing(front.connect()) as connection:
        for _ in range(12):
            connection.request("GET", "/pid")
            pids.add(connection.getresponse().read())
    assert len(pids) <= 2  # HAProxy: another one after the first request


def test_more_connections_than_workers_starve_nobody(front: FrontEnd) -> None:
    with ThreadPoolExecutor(12) as clients:
        for _ in range(3):
            answers = clients.map(front.get, ["/sleep?s=0.05"] * 12)
            assert [answer.status for answer in answers] == [200] * 12
    began = time.monotonic()
    for _ in range(8):
        assert front.get("/hello").status == 200
    assert time.monotonic() - began < 4  # an idle connection lasts for 5 and more


def test_a_reload_under_load_loses_no_request(front: FrontEnd, pool: Pool) -> None:
    commits = pool.log.count("phase=commit")
    with Load(front, clients=4, paths=("/hello", "/sleep?s=0.01")) as load:
        eventually(lambda: load.answered > 4)
        pool.signal(SIGHUP)
        eventually(lambda: pool.log.count("phase=commit") > commits, within=30)
        answered = load.answered
        eventually(lambda: load.answered > answered + 8)
    assert load.failures == []
