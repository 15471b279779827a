"""Workers and templates that die: nobody else notices."""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Load, Server, Site, eventually
from serving.eventually import PATIENCE

pytestmark = pytest.mark.process


def only_worker(server: Server) -> int:
    (pid,) = server.workers()
    return pid


def cpu_seconds(pid: int) -> float:
    """What a process has used so far, of user and system time."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# Workers


@pytest.mark.parametrize(
    ("number", "cause"),
    [(signal.SIGKILL, "SIGKILL from outside"), (signal.SIGSEGV, "crashed: SIGSEGV")],
)
def test_an_idle_worker_that_is_killed_is_replaced(
    server: Server, number: int, cause: str
) -> None:
    """Behaviour 11: fast, and nobody fails."""
    server.start("-w", "3")
    victim = server.workers()[0]
    with Load(server, clients=2) as load:
        os.kill(victim, number)
        began = time.monotonic()
        eventually(lambda: len(set(server.workers()) - {victim}) == 3)
        assert time.monotonic() - began < 2 * PATIENCE
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 50)
    assert len(load.failures) <= 2  # whom it was serving, and who waited with it
    found = server.wait_log(rf'lost worker cause="{cause}".*')[0]
    assert f"pid={victim}" in found and "uptime=" in found and "requests=" in found


def test_a_worker_that_is_killed_takes_only_its_own_request(server: Server) -> None:
    """Behaviour 12: and the log says which it was."""
    server.start("-w", "2", "--access-logfile", str(server.directory / "access"))
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=60&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        with Load(server) as load:
            victim = asleep(server)
            eventually(lambda: load.answered > 20)
            os.kill(victim, signal.SIGKILL)
            assert is_cut(client)
    assert load.failures == []
    found = server.wait_log(r"lost worker .*")[0]
    assert 'request="127.0.0.1 GET /sleep?s=60&say=asleep"' in found
    access = eventually(
        lambda: re.search(r'.*"GET /sleep.*" 502 .*', read(server, "access"))
    )
    assert access[0].startswith("127.0.0.1 ")


def asleep(server: Server) -> int:
    """The worker that serves /sleep: it is the one whose answers nobody gets."""
    answering = set()

    def found() -> set[int]:
        answering.add(int(server.get("/pid")[1]))
        rest = set(server.workers()) - answering
        return rest if len(rest) == 1 else set()

    return eventually(found).pop()


def is_cut(client: socket.socket) -> bool:
    try:
        return client.recv(65536) == b""
    except ConnectionResetError:
        return True


def read(server: Server, name: str) -> str:
    return (server.directory / name).read_text()


def test_a_connection_that_a_dead_worker_was_woken_for_is_served(
    server: Server,
) -> None:
    """Behaviour 53."""
    server.start("-w", "2")
    victim = server.workers()[0]
    os.kill(victim, signal.SIGSTOP)  # it can be woken, and will not accept
    began = time.monotonic()
    for _ in range(10):
        assert server.get("/")[0] == 200
    os.kill(victim, signal.SIGKILL)
    assert server.get("/")[0] == 200
    assert time.monotonic() - began < 10 * 1.0 + 5


@pytest.mark.slow
def test_a_worker_that_dies_young_is_replaced_later_each_time(server: Server) -> None:
    """Behaviour 15."""
    server.start("-w", "1")
    with Load(server, clients=1, paths=["/leave?code=3"]):
        found = server.wait_log(r"backing off failures=4 retry_in=\S+", within=20)[0]
    assert 0.4 <= float(found.split("=")[-1]) <= 0.8
    eventually(lambda: server.get("/")[0] == 200)
    assert 'cause="exit code 3"' in server.log


def test_a_worker_that_has_served_well_ends_the_back_off(server: Server) -> None:
    """Behaviour 15: long before the minute after which it ends by itself."""
    server.start("-w", "1")

    def fail_twice() -> None:
        for _ in range(2):
            with pytest.raises(ConnectionError):
                server.get("/leave")

    fail_twice()
    server.wait_log("backing off failures=2")
    for _ in range(12):
        assert server.get("/")[0] == 200
    with pytest.raises(ConnectionError):
        server.get("/leave")  # it is proven, and not to blame
    fail_twice()
    eventually(lambda: server.log.count("backing off failures=2") == 2)
    assert "failures=3" not in server.log


@pytest.mark.slow
def test_back_off_counts_forks_of_code_that_has_gone_bad(server: Server) -> None:
    """Behaviour 13: not a hundred of them, and one line each."""
    site = Site(server.directory)
    server.start("-w", "2", "--no-preload", app=site.app, env=site.env)
    site.publish("2", "import os; os._exit(1)")
    for pid in server.workers():
        os.kill(pid, signal.SIGKILL)
    used = cpu_seconds(server.pid)
    time.sleep(6)  # so long is looked at what it uses
    assert 3 <= server.log.count("lost worker") <= 14 + 2  # 2: those that we killed
    assert cpu_seconds(server.pid) - used < 1
    site.publish("3")
    eventually(lambda: server.get("/version") == (200, b"3"), within=30)


def test_all_workers_at_once_are_replaced(server: Server) -> None:
    """Behaviour 14."""
    server.start("-w", "4")
    before = server.workers()
    for pid in before:
        os.kill(pid, signal.SIGSEGV)
    eventually(lambda: len(set(server.workers()) - set(before)) == 4)
    assert server.get("/")[0] == 200
    assert server.stop() == 0


# Templates


def test_a_template_that_is_killed_is_no_outage(server: Server) -> None:
    """Behaviour 16."""
    server.start("-w", "2")
    workers, victim = server.workers(), server.template()
    with Load(server, clients=2) as load:
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: server.template() not in (victim, 0))
        assert server.workers() == workers
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 20)
    assert load.failures == []
    os.kill(workers[0], signal.SIGKILL)
    eventually(lambda: len(set(server.workers()) - {workers[0]}) == 2)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    eventually(lambda: len(server.workers(2)) == len(server.workers()) == 2)


def test_a_template_that_dies_with_an_order_is_no_outage(server: Server) -> None:
    """Behaviour 16: the worker that it was to fork is forked by the next one."""
    server.start("-w", "2")
    victim = server.template()
    os.kill(victim, signal.SIGSTOP)  # the order will stay unread
    worker = server.workers()[0]
    os.kill(worker, signal.SIGKILL)
    server.wait_log("lost worker")
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(set(server.workers()) - {worker}) == 2)
    assert server.get("/")[0] == 200


@pytest.mark.slow
def test_a_template_that_cannot_import_any_more_is_tried_again(server: Server) -> None:
    """Behaviour 16."""
    site = Site(server.directory)
    server.start("-w", "2", app=site.app, env=site.env)
    site.publish("2", "raise RuntimeError('broken')")
    workers = server.workers()
    os.kill(server.template(), signal.SIGKILL)
    server.wait_log(r"lost template .*\n(  .*\n)*.*broken")
    assert server.get("/version") == (200, b"1")
    site.publish("3")
    os.kill(workers[0], signal.SIGKILL)
    eventually(lambda: len(set(server.workers()) - {workers[0]}) == 2, within=30)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("process", "cause"),
    [
        ("1", "lost worker"),  # the one between template and worker
        ("2", "did not register in time"),
    ],
)
def test_a_hook_that_hangs_in_a_child_costs_one_slot_for_a_while(
    server: Server, process: str, cause: str
) -> None:
    """Behaviours 8 and 9."""
    server.start("-w", "3", app="hangs_after_fork:wsgi")
    hang = server.directory / "hang"
    hang.write_text(process)
    victim = server.workers()[0]
    os.kill(victim, signal.SIGKILL)
    server.wait_log("from outside")
    with Load(server, clients=2) as load:
        server.wait_log(f"from outside(.|\n)*{cause}", within=20)
    assert load.failures == []
    hang.unlink()
    eventually(lambda: len(server.workers()) == 3, within=20)
    assert server.stop() == 0


# A system that has run out of something


USER = 54321  # whose processes nobody else has


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts another user's workers")
def test_a_system_without_processes_left_is_waited_for(server: Server) -> None:
    """Behaviour 17."""
    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    with contextlib.ExitStack() as others:
        for _ in range(3):
            others.enter_context(sleeper(USER))
        # There is room for the template and two more.
        server.start(
            *("-w", "4", "-u", str(USER), "-g", str(USER)),
            app="plain:wsgi",
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NPROC, (6, hard)),
            wait=False,
        )
        server.wait_log("started worker")
        server.wait_log("cannot be forked: Resource temporarily unavailable")
        used = cpu_seconds(server.pid) + cpu_seconds(server.template())
        time.sleep(3)  # so long is looked at what it uses
        assert cpu_seconds(server.pid) + cpu_seconds(server.template()) - used < 1
        assert server.log.count("cannot be forked") < 30
    server.wait_ready(within=40)
    assert len(server.workers()) == 4
    assert server.stop() == 0


@contextlib.contextmanager
def sleeper(user: int) -> Iterator[None]:
    """A process of another user."""
    with subprocess.Popen(["/bin/sleep", "600"], user=user, group=user) as process:
        yield
        process.kill()


@contextlib.contextmanager
def descriptors_used_up(pid: int, *, spare: int = 0) -> Iterator[None]:
    """A process that can open `spare` descriptors, and no more."""
    used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd")) + 1
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (used + spare, before[1]))
    try:
        yield
    finally:
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)


def test_a_worker_dies_while_its_master_has_no_descriptors(server: Server) -> None:
    """Behaviour 18: and the access log, which is told of it, is syslog."""
    server.start("-w", "2", "--access-logfile", "syslog")
    killed = server.workers()[0]
    with descriptors_used_up(server.pid):
        os.kill(killed, signal.SIGKILL)
        server.wait_log("lost worker")
        assert server.get()[0] == 200
    eventually(lambda: len(server.workers()) == 2 and killed not in server.workers())
    assert "master failed" not in server.log
    assert server.stop() == 0


@pytest.mark.slow
def test_a_worker_without_descriptors_does_not_spin_and_recovers(
    server: Server,
) -> None:
    """Behaviour 18."""
    server.start("-w", "1")
    worker = only_worker(server)
    with descriptors_used_up(worker), server.connect() as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        server.wait_log("cannot accept")
        used = cpu_seconds(worker)
        time.sleep(2)  # so long is looked at what it uses
        assert cpu_seconds(worker) - used < 0.5
        assert server.log.count("cannot accept") < 30
        _, hard = resource.prlimit(worker, resource.RLIMIT_NOFILE)
        resource.prlimit(worker, resource.RLIMIT_NOFILE, (1000, hard))
        assert client.recv(65536).startswith(b"HTTP/1.1 200 OK")
    assert only_worker(server) == worker


def test_silent_clients_make_room_when_descriptors_run_out(server: Server) -> None:
    """Behaviour 18: the oldest silent one leaves, the one who asks is answered."""
    server.start("-w", "1")
    with descriptors_used_up(only_worker(server), spare=4):
        silent = [server.connect() for _ in range(20)]
        assert server.get("/")[0] == 200
        for client in silent:
            client.close()


@pytest.mark.slow
def test_a_master_without_descriptors_goes_on_and_recovers(server: Server) -> None:
    """Behaviour 18."""
    server.start("-w", "2")
    worker = server.workers()[0]
    with descriptors_used_up(server.pid):
        os.kill(worker, signal.SIGKILL)
        os.kill(server.template(), signal.SIGKILL)
        server.signal(signal.SIGHUP)
        server.wait_log("received signal signal=SIGHUP")
        used = cpu_seconds(server.pid)
        time.sleep(2)  # so long is looked at what it uses
        assert cpu_seconds(server.pid) - used < 1
        assert server.get("/")[0] == 200
    eventually(lambda: len(server.workers()) == 2, within=30)
    assert server.stop() == 0
