"""--bake: the first new worker must live for a while before the others follow."""

import signal
from datetime import datetime

import pytest
from serving import Load, Server, Site, eventually

pytestmark = pytest.mark.process

# A new worker has this long to live.
DIES = """
import os, signal
os.register_at_fork(
    after_in_child=lambda: signal.setitimer(signal.ITIMER_REAL, 0.5)
)
"""


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


@pytest.mark.slow
@pytest.mark.parametrize("path", [[], ["--canary-path", "/health"]])
def test_a_canary_that_dies_early_undoes_the_reload(
    server: Server, site: Site, path: list[str]
) -> None:
    server.start("-w", "2", "--bake", "20", *path, app=site.app, env=site.env)
    before = server.workers()
    site.publish("2", DIES)
    server.signal(signal.SIGHUP)
    told = server.wait_log(r"reload failed phase=canary .*\n.*")
    assert "a new worker died: SIGALRM" in told[0]
    assert server.workers() == before
    assert server.get("/version") == (200, b"1")
    assert server.stop() == 0


@pytest.mark.slow
def test_a_canary_that_lives_is_followed_by_the_others(
    server: Server, site: Site
) -> None:
    server.start("-w", "2", "--bake", "1", app=site.app, env=site.env)
    site.publish("2")
    with Load(server, paths=["/version"]) as load:
        server.signal(signal.SIGHUP)
        server.wait_log("started worker .*generation=2")
        # It serves: what it cannot do is seen while the others still can.
        eventually(lambda: b"2" in load.bodies["/version"])
        server.wait_log("phase=commit")
    assert baked(server) >= 1
    assert load.failures == []
    assert load.bodies["/version"] == {b"1", b"2"}


@pytest.mark.slow
@pytest.mark.parametrize("path", [[], ["--canary-path", "/health"]])
def test_a_canary_may_be_recycled_meanwhile(
    server: Server, site: Site, path: list[str]
) -> None:
    """Each worker has two requests: it need not be the same one that lives."""
    arguments = ["-w", "2", "--bake", "1", "--max-requests", "2", *path]
    server.start(*arguments, app=site.app, env=site.env)
    site.publish("2")
    with Load(server, paths=["/version"], pause=0.01) as load:
        server.signal(signal.SIGHUP)
        server.wait_log("phase=commit")
    assert load.failures == []


def test_a_stop_need_not_wait_for_it(server: Server, site: Site) -> None:
    """Behaviour 28."""
    server.start("-w", "1", "--bake", "60", app=site.app, env=site.env)
    server.signal(signal.SIGHUP)
    eventually(lambda: len(server.workers(2)) == 1)
    assert server.stop() == 0
    assert server.processes() == {}


@pytest.mark.slow
def test_by_default_it_is_seconds(server: Server, site: Site) -> None:
    env = {**site.env, "PREFORK_BAKE": "automatic"}
    server.start("-w", "1", app=site.app, env=env)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    assert baked(server) >= 2


def baked(server: Server) -> int:
    """Whole seconds from the canary's start until the others followed, by the log."""
    began = server.wait_log(r"(\S+)Z info reloading phase=canary")[1]
    ended = server.wait_log(r"(\S+)Z info reloading phase=roll")[1]
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(began)).seconds
