"""One pool speaks everything at once, behind all front ends at the same time."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from serving import Load, eventually
from serving.front_end import FrontEnd
from serving.makes import MAKES
from serving.pool import Pool

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]

TOGETHER = [  # (make, protocol that it speaks, bind of the server)
    ("nginx", "uwsgi", "uwsgi"),
    ("apache", "ajp", "ajp"),
    ("lighttpd", "scgi", "scgi"),
    ("caddy", "http", "http"),
    ("haproxy", "fastcgi", "fastcgi"),
    *(("nginx", each, "auto") for each in MAKES["nginx"].protocols),
    ("apache", "ajp", "auto"),
]


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool()
    auto = f"auto+unix:{pool.directory}/auto.sock"
    binds = tuple({bind for _, _, bind in TOGETHER} - {"auto"})
    pool.serve("-w", "3", "-b", auto, protocols=binds)
    yield pool
    left = pool.clean_up()
    assert not left, f"left behind: {left}"


def test_one_pool_serves_all_protocols_at_once(pool: Pool) -> None:
    if missing := [make.program for make in MAKES.values() if not make.path]:
        pytest.skip(f"{missing[0]} is not installed")
    with ExitStack() as stack:
        fronts = [
            stack.enter_context(FrontEnd(MAKES[make], speaks, pool.place(bind, "unix")))
            for make, speaks, bind in TOGETHER
        ]
        paths = ("/pid", "/there?who=you")
        loads = [
            stack.enter_context(Load(front, clients=2, paths=paths)) for front in fronts
        ]
        eventually(lambda: all(load.answered > 40 for load in loads), within=30)
        # Whoever is idle serves, whatever is spoken.
        eventually(lambda: who_served(loads) == {*pool.workers()}, within=30)
    assert [load.failures for load in loads] == [[]] * len(TOGETHER)
    for load in loads:
        assert {json.loads(told)["QUERY_STRING"] for told in load.bodies[paths[1]]} == {
            "who=you"
        }


def who_served(loads: list[Load]) -> set[int]:
    return {int(pid) for load in loads for pid in load.bodies["/pid"].copy()}
