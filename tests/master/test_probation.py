"""After COMMIT: for a minute, new code that crashes is sent back."""

import os
import signal
import socket

import pytest
from serving import Load, Server, Site, eventually
from serving.front_end import find_port

from prefork.master.cause import RELOAD
from prefork.master.generation import Generation
from prefork.master.probation import SECONDS, WINDOW, CrashCount, Probation
from prefork.settings import Settings

# A worker of this code answers five requests, or has served the sixth to nobody.
CRASHES = """
import os, app as programs
served = []
def answer(*arguments):
    served.append(1)
    if len(served) > 5:
        os._exit(3)
    return original(*arguments)
original, programs.answer = programs.answer, answer
"""

HANGS_AT_EXIT = """
import atexit, time
atexit.register(time.sleep, 100)
"""


# Pure


def test_three_crashes_within_the_window_are_too_many() -> None:
    crashes = CrashCount()
    for moment in (0.0, 1.0, WINDOW + 0.5):
        crashes.add(moment)
    assert not crashes.are_too_many()
    crashes.add(WINDOW + 0.9)
    assert crashes.are_too_many()


def test_crashes_of_the_roll_count_in_the_probation() -> None:
    crashes = CrashCount()
    crashes.add(1.0)
    crashes.add(2.0)
    kept = Generation(1, Settings(), [], chance=lambda: 0.5)
    probation = Probation(kept, crashes, RELOAD, now=3.0)
    assert probation.until == 3.0 + SECONDS
    assert probation.reason == ""
    probation.worker_died("it died", now=4.0)
    assert probation.reason == "it died"


# With processes


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


def reload(server: Server) -> None:
    before = server.log.count("phase=commit")
    server.signal(signal.SIGHUP)
    eventually(lambda: server.log.count("phase=commit") > before, within=30)


def kill_new_workers(
    server: Server, generation: int, *, so_far: int = 0, times: int = 3
) -> None:
    """So many of them, one after the other, as if each had crashed by itself."""
    for count in range(1, times + 1):
        victim = eventually(lambda: server.workers(generation))[0]
        os.kill(victim, signal.SIGKILL)
        lost = so_far + count
        eventually(lambda n=lost: server.log.count("error lost worker") == n)


@pytest.mark.process
@pytest.mark.slow
@pytest.mark.parametrize("workers", ["1", "4"])
def test_code_that_crashes_after_five_requests_is_sent_back(
    server: Server, site: Site, workers: str
) -> None:
    """Behaviour 25: from the old template, since the new code is what is on disk."""
    server.start("-w", workers, app=site.app, env=site.env)
    old = server.template()
    site.publish("2", CRASHES)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    with Load(server, paths=["/version"], pause=0.02):
        told = server.wait_log(r"reload failed phase=probation .*\n.*", within=30)
        eventually(lambda: len(server.workers(1)) == len(server.workers()))
    assert 'keeping="old code"' in told[0]
    assert "a new worker died: exit code 3" in told[0]
    assert {server.get("/version") for _ in range(10)} == {(200, b"1")}
    eventually(lambda: server.template() == old)  # the other one is gone
    site.publish("good")
    reload(server)
    assert server.get("/version") == (200, b"good")
    assert server.stop() == 0


@pytest.mark.process
def test_a_worker_that_is_proven_may_crash(server: Server, site: Site) -> None:
    server.start("-w", "1", app=site.app, env=site.env)
    reload(server)
    for count in range(1, 5):
        for _ in range(12):
            assert server.get("/")[0] == 200
        with pytest.raises(ConnectionError):
            server.get("/leave")
        eventually(lambda n=count: server.log.count("error lost worker") == n)
    eventually(lambda: len(server.workers(2)) == 1)
    assert "reload failed" not in server.log


@pytest.mark.process
def test_what_killed_the_old_workers_too_is_not_held_against_the_new(
    server: Server, site: Site
) -> None:
    """Behaviours 20 and 25: a poison request would undo every deployment."""
    server.start("-w", "1", app=site.app, env=site.env)

    def die(*, times: int) -> None:
        for _ in range(times):
            so_far = server.log.count("error lost worker")
            with pytest.raises(ConnectionError):
                server.get("/leave")
            eventually(lambda n=so_far: server.log.count("error lost worker") > n)

    die(times=2)
    reload(server)
    die(times=4)
    assert "reload failed" not in server.log
    told = 'warning crash not held against new code request="GET /leave"'
    eventually(lambda: server.log.count(told) == 4)  # after what die() waits for
    eventually(lambda: len(server.workers(2)) == 1)
    kill_new_workers(server, 2, so_far=6)
    server.wait_log("reload failed phase=probation")


@pytest.mark.process
def test_without_the_old_template_there_is_no_way_back(
    server: Server, site: Site
) -> None:
    """What another template of that generation would import is the new code."""
    server.start("-w", "1", app=site.app, env=site.env)
    old = server.template()
    reload(server)
    os.kill(old, signal.SIGKILL)
    eventually(lambda: old not in server.processes())
    kill_new_workers(server, 2)
    eventually(lambda: len(server.workers(2)) == 1)
    assert "reload failed" not in server.log
    assert server.template() and "gen 2 " in server.processes()[server.template()]
    assert server.stop() == 0


@pytest.mark.process
def test_the_listeners_of_before_are_opened_again(server: Server, site: Site) -> None:
    """Behaviours 25 and 30: also those that the reload had closed."""
    kept, left, added = (find_port() for _ in range(3))
    path = server.directory / "app.sock"
    old = [f"127.0.0.1:{kept}", f"127.0.0.1:{left}", f"unix:{path}"]
    site.configure(workers=2, bind=old)
    server.start(app=site.app, env=site.env, bind=None)
    server.port = kept
    site.configure(workers=2, bind=[f"127.0.0.1:{kept}", f"127.0.0.1:{added}"])
    reload(server)
    eventually(lambda: is_refused(left) and not path.exists())
    assert not is_refused(added)
    kill_new_workers(server, 2)
    server.wait_log("reload failed phase=probation")
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 2)
    eventually(lambda: is_refused(added))
    for port in (kept, left):
        server.port = port
        assert server.get("/")[0] == 200
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.fspath(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert server.stop() == 0
    assert not path.exists()


@pytest.mark.process
def test_a_port_that_somebody_else_has_taken_is_done_without(
    server: Server, site: Site
) -> None:
    kept, left = find_port(), find_port()
    site.configure(workers=1, bind=[f"127.0.0.1:{kept}", f"127.0.0.1:{left}"])
    server.start(app=site.app, env=site.env, bind=None)
    server.port = kept
    site.configure(workers=1, bind=[f"127.0.0.1:{kept}"])
    reload(server)
    eventually(lambda: is_refused(left))
    with socket.create_server(("127.0.0.1", left)):
        kill_new_workers(server, 2)
        told = server.wait_log(r"cannot restore listener\n.*")
        assert f"cannot bind 127.0.0.1:{left}" in told[0]
        eventually(lambda: len(server.workers(1)) == len(server.workers()) == 1)
        assert server.get("/")[0] == 200
        assert server.stop() == 0


@pytest.mark.process
def test_the_number_of_workers_is_that_of_before(server: Server, site: Site) -> None:
    """Behaviour 25."""
    site.configure(workers=2)
    server.start(app=site.app, env=site.env)
    site.configure(workers=4)
    reload(server)
    eventually(lambda: len(server.workers(2)) == 4)
    kill_new_workers(server, 2)
    server.wait_log("reload failed phase=probation")
    eventually(lambda: len(server.workers()) == len(server.workers(1)) == 2)
    assert server.stop() == 0


@pytest.mark.process
@pytest.mark.slow
def test_where_nobody_works_a_caller_is_still_heard(server: Server, site: Site) -> None:
    """Behaviours 25 and 62: the master waits for him at the listeners of before."""
    old, new = find_port(), find_port()
    on_demand = {"workers": "0:2", "idle_timeout": 1}
    site.configure(bind=[f"127.0.0.1:{old}"], **on_demand)
    server.start(app=site.app, env=site.env, bind=None)
    site.configure(bind=[f"127.0.0.1:{new}"], **on_demand)
    site.publish("2", HANGS_AT_EXIT)
    reload(server)
    server.port = new
    assert server.get("/version") == (200, b"2")
    kill_new_workers(server, 2, times=2)
    leaver = eventually(lambda: server.workers(2))[0]
    so_far = len(server.log)
    eventually(lambda: "scaling workers=0" in server.log[so_far:], within=20)
    os.kill(leaver, signal.SIGKILL)
    server.wait_log("reload failed phase=probation")
    server.port = old
    assert server.get("/version") == (200, b"1")
    assert server.stop() == 0


@pytest.mark.process
def test_a_stop_during_the_probation(server: Server, site: Site) -> None:
    """Behaviour 28."""
    server.start("-w", "2", app=site.app, env=site.env)
    reload(server)
    assert server.stop() == 0
    assert server.processes() == {}


@pytest.mark.process
def test_a_stop_while_the_new_code_is_sent_back(server: Server, site: Site) -> None:
    """Behaviour 28: workers of both generations answer whom they have."""
    server.start("-w", "3", app=site.app, env=site.env)
    reload(server)
    kill_new_workers(server, 2)
    server.wait_log("phase=probation")
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=0.5&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        assert server.stop() == 0
        assert b"slept" in client.recv(65536)
    assert "requests_cut" not in server.log


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False
