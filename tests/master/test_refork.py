"""--refork-after: a worker that has served for a while becomes the template."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest
from serving import Load, Server, eventually
from serving.server import ROOT

from prefork.master.refork import find_warmed
from prefork.master.roster import Member
from prefork.master.states import State

TEN = ",".join(["30"] * 10)  # more than are asked by the way


# Pure


def member(slot: int, **fields: object) -> Member:
    settings = {"boot_timeout": 1.0, "graceful_timeout": 1.0, **fields}
    return Member(slot, 1, 0.0, 0.0, **{"state": State.SERVING, **settings})  # type: ignore[arg-type]


def test_chosen_is_who_has_served_most() -> None:
    served = {0: 9, 1: 30, 2: 20}
    members = [member(slot) for slot in served]
    warmed = find_warmed(members, served.__getitem__, after=10)
    assert warmed is members[1]
    assert find_warmed(members, served.__getitem__, after=31) is None


@pytest.mark.parametrize(
    "unfit",
    [{"state": State.RETIRING}, {"was_chosen": True}, {"wants_replacement": True}],
    ids=str,
)
def test_not_chosen_is_who_leaves_or_was_chosen_before(
    unfit: dict[str, object],
) -> None:
    assert find_warmed([member(0, **unfit)], lambda slot: 99, after=10) is None
    assert find_warmed([], lambda slot: 99, after=10) is None


# With processes


process = pytest.mark.process
slow = pytest.mark.slow


def start(server: Server, *arguments: str, after: str = "5") -> None:
    server.start("--refork-after", after, *arguments, app="warms:wsgi")


def warm(server: Server, path: str = "/", *, times: int = 6) -> None:
    for _ in range(times):
        assert server.get(path)[0] == 200


def wait_phase(server: Server, phase: str, *, times: int = 1) -> None:
    line = f"info reforking phase={phase}"
    eventually(lambda: server.log.count(line) >= times, within=30)


def forget_the_old_template(server: Server) -> None:
    """It is kept for a minute, and until then there is no other refork."""
    os.kill(server.templates()[0], signal.SIGKILL)
    eventually(lambda: len(server.templates()) == 1)


@contextmanager
def held(server: Server) -> Iterator[None]:
    """The worker that is promoted has a client who stays for another moment."""
    with server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(65536)
        yield


@process
def test_a_worker_that_has_served_becomes_the_template(server: Server) -> None:
    """Behaviour 75."""
    start(server, "-w", "1")
    worker = server.workers()[0]
    warm(server, "/know")
    wait_phase(server, "commit")
    assert server.template() == worker
    title = "prefork: template gen 2 [warms:wsgi]"
    assert server.processes()[worker] == title
    eventually(lambda: len(server.workers()) == len(server.workers(2)) == 1)
    assert server.workers() != [worker]
    assert server.get("/known") == (200, str(worker).encode())
    assert "info retired worker worker=0" in server.log
    assert "lost worker" not in server.log
    assert server.stop() == 0


@process
def test_it_happens_once_for_each_number(server: Server) -> None:
    start(server, "-w", "1", after="5,10")
    warm(server)
    wait_phase(server, "commit")
    forget_the_old_template(server)
    warm(server, times=8)
    assert server.log.count("reforking phase=boot") == 1
    warm(server, times=8)
    wait_phase(server, "commit", times=2)
    forget_the_old_template(server)
    warm(server, times=30)
    assert server.log.count("reforking phase=boot") == 2


@process
@slow
def test_no_request_fails_while_workers_are_replaced(server: Server) -> None:
    start(server, "-w", "3", after="20,40")
    with Load(server, clients=6, paths=["/", "/sleep?s=0.02"]) as load:
        wait_phase(server, "commit")
        forget_the_old_template(server)
        wait_phase(server, "commit", times=2)
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 100)
    assert load.failures == []
    assert len(server.workers(3)) == len(server.workers()) == 3
    assert server.stop() == 0


@process
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/thread", "thread sender"),
        ("/child", "child processes"),
        ("/connect", "connection to "),
    ],
)
def test_a_worker_that_cannot_be_forked_declines_and_serves_on(
    server: Server, path: str, reason: str
) -> None:
    """Behaviours 75 and 76."""
    start(server, "-w", "1")
    worker, template = server.workers(), server.template()
    warm(server, path, times=1)
    warm(server)
    told = server.wait_log("refork failed phase=boot .*\n.*")
    assert 'keeping="old template"' in told[0]
    assert f"the worker has {reason}" in told[0]
    warm(server)
    assert server.workers() == worker
    assert server.template() == template
    assert server.stop() == 0


@process
def test_what_came_in_while_it_retired_counts_too(server: Server) -> None:
    """The replacement serves, so a worker less is no harm."""
    start(server, "-w", "1")
    with server.connect() as client:
        for begun in (b"", b"", b"", b"", b"GET /thread HTTP/1.1\r\n"):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + begun)
            assert client.recv(65536)
        server.wait_log("started worker worker=1")
        client.sendall(b"Host: x\r\n\r\n")
        assert b"started" in client.recv(65536)
    told = server.wait_log("refork failed phase=boot .*\n.*")
    assert "the worker has thread sender" in told[0]
    server.wait_log("info retired worker worker=0")
    assert len(server.workers(1)) == len(server.workers()) == 1
    warm(server)


@process
def test_a_canary_that_answers_500_sends_what_was_learnt_back(server: Server) -> None:
    start(server, "-w", "2", "--canary-path", "/health", after="5,5")
    template = server.template()
    for _ in range(4):
        warm(server, "/spoil", times=4)
    told = server.wait_log("refork failed phase=canary .*\n.*")
    assert "/health answered HTTP/1.1 500" in told[0]
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 2)
    assert server.template() == template
    warm(server, times=20)  # and it is not tried again
    assert server.log.count("reforking phase=boot") == 1
    assert server.stop() == 0


@process
def test_three_crashes_send_it_back_too(server: Server) -> None:
    start(server, "-w", "1")
    template = server.template()
    warm(server)
    wait_phase(server, "commit")
    for count in range(1, 4):
        os.kill(eventually(lambda: server.workers(2))[0], signal.SIGKILL)
        eventually(lambda n=count: server.log.count("error lost worker") == n)
    server.wait_log('refork failed phase=probation keeping="old template"')
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 1)
    eventually(lambda: server.template() == template)
    warm(server, times=10)
    assert server.log.count("reforking phase=boot") == 1


@process
def test_a_chosen_worker_that_is_killed_changes_nothing(server: Server) -> None:
    start(server, "-w", "1")
    worker, template = server.workers()[0], server.template()
    warm(server)
    with held(server):
        server.wait_log("started worker worker=1")
        os.kill(worker, signal.SIGKILL)
        told = server.wait_log("refork failed phase=boot .*\n.*")
    assert "the worker left instead" in told[0]
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 1)
    assert server.template() == template
    warm(server)
    assert server.stop() == 0


@process
def test_a_new_template_that_is_killed_changes_nothing(server: Server) -> None:
    start(server, "-w", "1", "--bake", "30")
    worker, template = server.workers()[0], server.template()
    warm(server)
    server.wait_log("started worker .* generation=2")
    os.kill(worker, signal.SIGKILL)
    told = server.wait_log("refork failed phase=canary .*\n.*")
    assert "template died while running: SIGKILL" in told[0]
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 1)
    assert server.template() == template
    warm(server)
    assert server.stop() == 0


@process
def test_a_stop_while_the_chosen_worker_retires(server: Server) -> None:
    """Behaviour 28."""
    start(server, "-w", "1")
    warm(server)
    with held(server):
        server.wait_log("started worker worker=1")
        assert server.stop() == 0
    assert server.processes() == {}


@process
def test_a_stop_while_the_canary_is_watched(server: Server) -> None:
    start(server, "-w", "2", "--bake", "30")
    warm(server, times=20)
    wait_phase(server, "canary")
    assert server.stop() == 0
    assert server.processes() == {}
    assert "requests_cut" not in server.log


@process
def test_a_reload_follows_a_refork_and_begins_anew(server: Server) -> None:
    start(server, "-w", "1", "--bake", "0.5")
    warm(server, "/know")
    wait_phase(server, "canary")
    server.signal(signal.SIGHUP)
    server.wait_log("reloading phase=commit")
    assert server.log.index("reforking phase=commit") < server.log.index("reloading")
    eventually(lambda: len(server.workers(3)) == len(server.workers()) == 1)
    assert server.get("/known") == (200, b"")
    forget_the_old_template(server)
    warm(server)
    wait_phase(server, "commit", times=2)


@process
def test_status_tells_of_it(server: Server) -> None:
    start(server, "-w", "1", "--bake", "30")
    warm(server)
    wait_phase(server, "canary")
    which = ["--pid", str(server.pid)]
    command = [sys.executable, "-m", "prefork.cli.control", "status", *which]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert "reload     in phase canary of a refork\n" in told.stdout


@process
def test_scaling_goes_on_in_the_middle(server: Server) -> None:
    start(server, "-w", "2", "--bake", "1")
    warm(server, times=20)
    wait_phase(server, "canary")
    server.signal(signal.SIGTTIN)
    wait_phase(server, "commit")
    eventually(lambda: len(server.workers(2)) == len(server.workers()) == 3)


@process
@slow
def test_an_upgrade_knows_how_far_it_has_come(server: Server) -> None:
    """An upgrade waits until the refork is through; the probation survives it."""
    start(server, "-w", "1", "--bake", "1", after="5,5")
    warm(server)
    wait_phase(server, "canary")
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master")
    template = server.template()
    forget_the_old_template(server)
    warm(server)
    wait_phase(server, "commit", times=2)
    assert server.template() not in (0, template)
    warm(server, times=20)
    assert server.log.count("reforking phase=boot") == 2
    assert server.stop() == 0


@process
@slow
def test_ten_reforks_leave_nothing_behind(server: Server) -> None:
    """Behaviour 75: descriptors, the depth of the stack, the master's memory."""
    start(server, "-w", "2", after=TEN)
    master = psutil.Process(server.pid)
    refork(server, times=1)
    before = [master.num_fds(), *descriptors_of_others(server)]
    rss, depth = master.memory_info().rss, server.get("/depth")
    for number in range(2, 11):
        refork(server, times=number)

    def has_no_more() -> bool:
        """One less there may be: the first template was perhaps not reaped yet."""
        now = [master.num_fds(), *descriptors_of_others(server)]
        return all(have <= had for have, had in zip(now, before, strict=True))

    eventually(has_no_more)
    assert server.get("/depth") == depth
    assert master.memory_info().rss < rss + (1 << 20)
    assert server.stop() == 0


def descriptors_of_others(server: Server) -> list[int]:
    pids = [server.template(), *server.workers()]
    return [psutil.Process(pid).num_fds() for pid in pids]


def refork(server: Server, *, times: int) -> None:
    while server.log.count("reforking phase=commit") < times:
        warm(server)
    eventually(lambda: len(server.workers(times + 1)) == len(server.workers()) == 2)
    forget_the_old_template(server)
