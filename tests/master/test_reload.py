"""SIGHUP with good code: nobody fails, nobody is missing, everything is new."""

import os
import re
import signal
import socket
import time
from pathlib import Path

import pytest
from serving import Census, Load, Server, Site, eventually
from serving.front_end import find_port

pytestmark = pytest.mark.process

BUSY = ["/", "/version", "/sleep?s=0.005", "/sleep?s=0.05", "/big?size=50000"]

# An import that takes until it is told to go on.
WAITS = """
import os, time
open("begun", "w").close()
while not os.path.exists("go-on"):
    time.sleep(0.01)
"""


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


def start(
    server: Server,
    site: Site,
    *arguments: str,
    bind: str | None = None,
    wait: bool = True,
) -> None:
    """Serve the site; the address and the rest may be in its configuration."""
    server.start(*arguments, app=site.app, env=site.env, bind=bind, wait=wait)


def reload(server: Server, times: int = 1) -> None:
    """Ask for a reload, and wait until it is through."""
    before = server.log.count("phase=commit")
    server.signal(signal.SIGHUP)
    eventually(lambda: server.log.count("phase=commit") == before + times, within=30)


def test_a_reload_under_load_loses_nothing(server: Server, site: Site) -> None:
    """Behaviour 21."""
    start(server, site, "-w", "4", bind="127.0.0.1:0")
    before = server.workers()
    with Load(server, clients=6, paths=BUSY) as load, Census(server) as census:
        for version in ("2", "3", "4"):
            site.publish(version)
            reload(server)
            so_far = load.answered
            eventually(lambda so_far=so_far: load.answered > so_far + 20)
    assert load.failures == []
    assert load.bodies["/version"] == {b"1", b"2", b"3", b"4"}
    assert min(census.counts) >= 4
    eventually(lambda: len(server.workers()) == len(server.workers(4)) == 4)
    assert not set(before) & set(server.workers())
    assert server.stop() == 0


def test_the_old_template_leaves_when_yet_another_generation_serves(
    server: Server, site: Site
) -> None:
    start(server, site, "-w", "1", bind="127.0.0.1:0")
    old = server.template()
    reload(server)
    assert old in server.processes()  # for a minute, if nothing happens
    reload(server)
    eventually(lambda: old not in server.processes())
    assert "gen 3 " in server.processes()[server.template()]


def test_new_requests_go_to_new_code_once_it_serves(server: Server, site: Site) -> None:
    """Behaviour 29: a long request is finished by the worker that has it."""
    start(server, site, "-w", "2", bind="127.0.0.1:0")
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=2&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        site.publish("2")
        reload(server)
        versions = {server.get("/version")[1] for _ in range(20)}
        assert versions == {b"2"}
        assert b"slept" in client.recv(65536)
    eventually(lambda: len(server.workers()) == 2)


@pytest.mark.slow
def test_an_old_request_has_the_graceful_timeout_and_no_more(
    server: Server, site: Site
) -> None:
    """Behaviour 29."""
    start(server, site, "-w", "1", "--graceful-timeout", "1", bind="127.0.0.1:0")
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=60&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        reload(server)
        server.wait_log("killed by prefork: over its graceful timeout")
        assert client.recv(65536) == b""
    assert server.get("/version")[0] == 200


@pytest.mark.slow
def test_a_hup_during_a_reload_makes_one_more(server: Server, site: Site) -> None:
    """Behaviour 26: however many come."""
    start(server, site, "-w", "2", bind="127.0.0.1:0")
    site.publish("2", WAITS)
    server.signal(signal.SIGHUP)
    eventually((server.directory / "begun").exists)
    site.publish("3")
    for count in range(2, 5):
        server.signal(signal.SIGHUP)
        eventually(lambda count=count: server.log.count("signal=SIGHUP") == count)
    (server.directory / "go-on").touch()
    eventually(lambda: server.log.count("phase=commit") == 2)
    eventually(lambda: len(server.workers(3)) == len(server.workers()) == 2)
    assert server.get("/version") == (200, b"3")
    time.sleep(1)  # time enough for a third, if there was to be one
    assert server.log.count("phase=check") == 2


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.0, 0.005, 0.025])
def test_a_storm_of_hups_ends_on_the_last_code(
    server: Server, site: Site, pause: float
) -> None:
    """Behaviour 27."""
    start(server, site, "-w", "2", bind="127.0.0.1:0")
    with Load(server, clients=2, paths=["/", "/version"]) as load:
        for number in range(25):
            site.publish(f"2.{number}")
            server.signal(signal.SIGHUP)
            time.sleep(pause)
        site.publish("last")
        server.signal(signal.SIGHUP)
        eventually(lambda: server.get("/version") == (200, b"last"), within=20)
        eventually(lambda: is_settled(server), within=20)
    assert load.failures == []
    assert {state_of(pid) for pid in children_of(server.pid)} <= {"S", "R", "D"}
    assert server.stop() == 0


def is_settled(server: Server) -> bool:
    """Is every reload that was begun over, and everybody there?"""
    is_over = server.log.count("phase=check") == server.log.count("phase=commit")
    return is_over and len(server.workers()) == 2


def children_of(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(name) for name in text.split()]


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("phase", ["check", "boot", "canary", "roll"])
def test_a_stop_during_a_reload_answers_everyone(
    server: Server, site: Site, phase: str
) -> None:
    """Behaviour 28."""
    start(server, site, "-w", "4", bind="127.0.0.1:0")
    site.publish("2")
    with Load(server, clients=4, paths=BUSY) as load:
        eventually(lambda: load.answered > 20)
        server.signal(signal.SIGHUP)
        server.wait_log(f"phase={phase}")
        assert server.stop() == 0
    assert load.cut == []
    assert server.processes() == {}


# What else a configuration can change


def test_a_setting_holds_from_the_reload_on(server: Server, site: Site) -> None:
    """Behaviour 31."""
    site.configure(workers=2, umask="0o027", bind=["127.0.0.1:0"])
    start(server, site)
    assert umask_of(server.workers()[0]) == "0027"
    site.configure(workers=4, umask="0o077", bind=["127.0.0.1:0"])
    reload(server)
    eventually(lambda: len(server.workers()) == len(server.workers(2)) == 4)
    assert {umask_of(pid) for pid in server.workers()} == {"0077"}
    site.configure(workers=1, bind=["127.0.0.1:0"])  # the umask is ours again
    reload(server)
    eventually(lambda: len(server.workers()) == len(server.workers(3)) == 1)
    assert umask_of(server.workers()[0]) == umask_of(server.pid)


def umask_of(pid: int) -> str:
    status = Path(f"/proc/{pid}/status").read_text()
    return status.partition("Umask:\t")[2].split("\n")[0]


@pytest.mark.slow
def test_a_new_deadline_is_for_the_new_workers_only(server: Server, site: Site) -> None:
    """Behaviour 31."""
    site.configure(workers=1, timeout=30, bind=["127.0.0.1:0"])
    start(server, site)
    with server.connect() as old:
        old.sendall(b"GET /sleep?s=3&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        site.configure(workers=1, timeout=1, bind=["127.0.0.1:0"])
        reload(server)
        with server.connect() as new:
            new.sendall(b"GET /sleep?s=60 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert new.recv(65536) == b""
        assert b"slept" in old.recv(65536)


def test_listeners_are_added_and_removed(server: Server, site: Site) -> None:
    """Behaviour 30: and the one that stays has not missed a connection."""
    path = server.directory / "app.sock"
    kept, gone = find_port(), find_port()
    site.configure(workers=2, bind=[f"127.0.0.1:{kept}", f"127.0.0.1:{gone}"])
    start(server, site)
    server.port = kept
    with Load(server, clients=4, paths=BUSY) as load:
        site.configure(workers=2, bind=[f"127.0.0.1:{kept}", f"unix:{path}"])
        reload(server)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(os.fspath(path))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
        eventually(lambda: is_refused(gone))
        site.configure(workers=2, bind=[f"127.0.0.1:{kept}"])
        reload(server)
        eventually(lambda: not path.exists())
    assert load.failures == []
    assert re.search(rf"listening on=\S*unix:\S*{path}$", server.log, re.MULTILINE)


def test_a_port_that_changes_cuts_nobody(server: Server, site: Site) -> None:
    """Behaviour 30: whoever was let in has an answer, also through the old door."""
    old, new = find_port(), find_port()
    site.configure(workers=2, bind=[f"127.0.0.1:{old}"])
    start(server, site)
    server.port = old
    with Load(server, clients=6, paths=BUSY) as load:
        eventually(lambda: load.answered > 20)
        site.configure(workers=2, bind=[f"127.0.0.1:{new}"])
        reload(server)
        eventually(lambda: is_refused(old))
    assert load.cut == []
    server.port = new
    assert server.get("/")[0] == 200


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_door_is_served_until_it_is_closed_however_late_that_is(
    server: Server, site: Site, workers: int
) -> None:
    """Behaviour 30: as on a full machine, where the master is kept waiting."""
    old, new = find_port(), find_port()
    site.configure(workers=workers, bind=[f"127.0.0.1:{old}"])
    start(server, site)
    server.port = old
    for _ in range(4):
        with Load(server, clients=6, paths=["/", "/pid"]) as load:
            eventually(lambda load=load: load.answered > 20)
            site.configure(workers=workers, bind=[f"127.0.0.1:{new}"])
            rounds = server.log.count("phase=commit")
            server.signal(signal.SIGHUP)
            for _ in range(200):
                hold_up(server, seconds=0.25)
                if server.log.count("phase=commit") > rounds:
                    break
            eventually(lambda old=old: is_refused(old))
        assert load.cut == []
        old, new = new, old
        server.port = old


def hold_up(server: Server, *, seconds: float) -> None:
    """Have the master do nothing for a while, and then little."""
    server.signal(signal.SIGSTOP)
    time.sleep(seconds)
    server.signal(signal.SIGCONT)
    time.sleep(0.002)


@pytest.mark.parametrize("phase", ["boot", "canary", "roll"])
def test_a_stop_leaves_no_socket_of_a_reload(
    server: Server, site: Site, phase: str
) -> None:
    """Behaviour 28: and whom it had let in is answered."""
    path = server.directory / "app.sock"
    site.configure(workers=3, bind=["127.0.0.1:0"])
    start(server, site)
    site.configure(workers=3, bind=["127.0.0.1:0", f"unix:{path}"])
    server.signal(signal.SIGHUP)
    server.wait_log(f"phase={phase}")
    assert server.stop() == 0
    assert not path.exists()


def is_refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_listener_that_is_removed_answers_whom_it_has_queued(
    server: Server, site: Site
) -> None:
    """Behaviour 30."""
    kept, gone = find_port(), find_port()
    site.configure(workers=1, bind=[f"127.0.0.1:{kept}", f"127.0.0.1:{gone}"])
    start(server, site)
    server.port = gone
    with server.connect() as busy, server.connect() as queued:
        busy.sendall(b"GET /sleep?s=1&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        queued.sendall(b"GET /version HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        site.configure(workers=1, bind=[f"127.0.0.1:{kept}"])
        reload(server)
        assert b"slept" in busy.recv(65536)
        assert queued.recv(65536).startswith(b"HTTP/1.1 200 OK")


# The number of workers, by hand


def test_ttin_and_ttou_are_kept_across_reloads(server: Server, site: Site) -> None:
    start(server, site, "-w", "2", bind="127.0.0.1:0")
    for count in (3, 4):
        server.signal(signal.SIGTTIN)
        eventually(lambda count=count: len(server.workers()) == count)
    server.signal(signal.SIGTTOU)
    eventually(lambda: len(server.workers()) == 3)
    reload(server)
    eventually(lambda: len(server.workers(2)) == len(server.workers()) == 3)


def test_ttou_leaves_one_worker(server: Server, site: Site) -> None:
    start(server, site, "-w", "2", bind="127.0.0.1:0")
    for count in range(1, 5):
        server.signal(signal.SIGTTOU)
        eventually(lambda count=count: server.log.count("signal=SIGTTOU") == count)
    server.wait_log("warning cannot scale")
    eventually(lambda: len(server.workers()) == 1)
    assert server.get("/")[0] == 200


def test_winch_retires_all_workers_until_they_are_wanted(
    server: Server, site: Site
) -> None:
    start(server, site, "-w", "2", bind="127.0.0.1:0")
    server.signal(signal.SIGWINCH)
    eventually(lambda: server.workers() == [])
    with server.connect() as client:  # the kernel still lets people in
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        server.signal(signal.SIGHUP)
        assert b"hello" in client.recv(65536)
    eventually(lambda: len(server.workers(2)) == 2)
    server.signal(signal.SIGWINCH)
    eventually(lambda: server.workers() == [])
    server.signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) == 3)
    server.signal(signal.SIGWINCH)
    eventually(lambda: server.workers() == [])
    assert server.stop() == 0


@pytest.mark.slow
def test_more_workers_than_there_is_room_for_are_refused(
    server: Server, site: Site
) -> None:
    """Behaviour 64; and so many as there is room for can be started at once."""
    start(server, site, "-w", "512", bind="127.0.0.1:0", wait=False)
    server.wait_ready(within=120)
    assert "lost worker" not in server.log
    server.signal(signal.SIGTTIN)
    server.wait_log("warning cannot scale workers=513 most=512")
    assert server.get("/")[0] == 200
    assert server.stop(within=60) == 0
