"""Trouble that is explained: a poisonous request, no memory, no descriptors."""

import os
import re
import resource
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from serving import Server, Site, eventually

from prefork.cli.calling import RunningMaster, ask
from prefork.errors import CommandError

pytestmark = pytest.mark.process


def die(server: Server, path: str) -> None:
    """Ask for what kills the worker."""
    with pytest.raises(ConnectionError):
        server.get(path)


# A request that kills whoever serves it


def test_a_request_that_kills_three_workers_is_named_once(server: Server) -> None:
    """Behaviour 20: by method and path; the query may differ."""
    server.start("-w", "3")
    for number in range(5):
        die(server, f"/crash?n={number}")
    eventually(lambda: server.log.count("lost worker") == 5)
    found = re.findall(r"error poison request .*", server.log)
    assert found == ['error poison request request="GET /crash" lost=3 within="60 s"']
    assert server.stop() == 0


def test_three_accidents_of_different_requests_accuse_nobody(server: Server) -> None:
    server.start("-w", "3")
    die(server, "/crash")
    die(server, "/leave")
    eventually(lambda: len(server.workers()) == 3)
    for worker in server.workers():  # they are idle, and serve nothing
        os.kill(worker, signal.SIGKILL)
    eventually(lambda: server.log.count("lost worker") == 5)
    assert "poison" not in server.log


def test_requests_that_a_reload_cuts_are_no_poison(server: Server) -> None:
    """Behaviour 20: it was not they who killed their workers."""
    server.start("-w", "3", "--graceful-timeout", "0.5")
    with ExitStack() as stack:
        for count in range(1, 4):
            client = stack.enter_context(server.connect())
            client.sendall(b"GET /sleep?s=60&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
            eventually(lambda n=count: server.log.count("asleep\n") == n)
        server.signal(signal.SIGHUP)
        told = "lost worker .*over its graceful timeout"
        eventually(lambda: len(re.findall(told, server.log)) == 3)
    assert server.stop() == 0
    assert "poison" not in server.log


# Memory


@pytest.fixture
def small_group() -> Iterator[Path]:
    """A control group with 160 MB of memory, where this machine lets us make one."""
    group, limit = make_group()
    try:
        (group / limit).write_text(str(160 << 20))
        yield group
    finally:
        eventually(lambda: remove(group))


def make_group() -> tuple[Path, str]:
    root = Path("/sys/fs/cgroup")
    controllers = root / "cgroup.controllers"
    is_v2 = controllers.exists() and "memory" in controllers.read_text().split()
    group = (root if is_v2 else root / "memory") / f"prefork-test-{os.getpid()}"
    limit = "memory.max" if is_v2 else "memory.limit_in_bytes"
    try:
        group.mkdir()
    except OSError as error:
        pytest.skip(f"cannot make a control group: {error.strerror}")
    if not (group / limit).exists():
        group.rmdir()
        pytest.skip("a control group here has no limit for memory")
    return group, limit


def move_into(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))


def remove(group: Path) -> bool:
    try:
        group.rmdir()
    except OSError:
        return False  # the last process has not been reaped yet
    return True


@pytest.mark.slow
def test_a_worker_that_ran_out_of_memory_is_told_from_one_that_was_killed(
    server: Server, small_group: Path
) -> None:
    """Behaviour 19: by the kernel's count; the master is spared."""

    server.start("-w", "2", preexec_fn=partial(move_into, small_group))
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_log('lost worker cause="SIGKILL from outside"')
    die(server, "/leak?mb=400")
    cause = re.escape("killed by the kernel: out of memory (cgroup)")
    server.wait_log(f'lost worker cause="{cause}" .*request=.*/leak')
    assert len(re.findall(cause, server.log)) == 1
    eventually(lambda: len(server.workers()) == 2)
    assert server.get("/")[0] == 200
    assert server.stop() == 0


@pytest.mark.slow
def test_an_import_that_ran_out_of_memory_is_no_riddle(
    server: Server, small_group: Path
) -> None:
    """Behaviour 19: and what it was killed for explains no other death."""
    site = Site(server.directory)
    move_in = partial(move_into, small_group)
    server.start("-w", "1", app=site.app, env=site.env, preexec_fn=move_in)
    site.publish("2", more="hoard = bytearray(b'x') * (400 << 20)")
    server.signal(signal.SIGHUP)
    cause = re.escape("killed by the kernel: out of memory (cgroup)")
    server.wait_log(f"error reload failed phase=boot .*\n  template died .*: {cause}")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_log('lost worker cause="SIGKILL from outside"')
    assert server.stop() == 0


@pytest.mark.slow
def test_where_memory_runs_short_no_worker_is_added(
    server: Server, small_group: Path
) -> None:
    """Behaviour 63: the load would ask for more."""
    server.start("-w", "1:4", preexec_fn=partial(move_into, small_group))
    server.get(f"/leak?mb={150 - used_megabytes(small_group)}")  # of 160
    before = len(server.workers())
    with ThreadPoolExecutor() as callers:
        answers = list(callers.map(server.get, ["/sleep?s=1"] * 4))
    assert [status for status, *_ in answers] == [200] * 4
    server.wait_log('cannot scale .*reason="the memory of the control group')
    assert len(server.workers()) == before
    assert server.stop() == 0


def used_megabytes(group: Path) -> int:
    files = (group / "memory.current", group / "memory.usage_in_bytes")
    return next(int(file.read_text()) for file in files if file.exists()) >> 20


# Descriptors


@pytest.mark.slow
def test_a_master_without_descriptors_says_so_and_hears_again_later(
    server: Server,
) -> None:
    """It cannot tell those who ask, so it tells the log, once; and does not spin."""
    server.start("-w", "1")
    master = RunningMaster(f"@prefork/{server.pid}", server.pid)
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    used = len(os.listdir(f"/proc/{server.pid}/fd"))
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, before[1]))
    cpu = cpu_seconds(server.pid)
    with pytest.raises(CommandError, match="Its log may tell"):
        ask(master, "status")
    assert cpu_seconds(server.pid) - cpu < 0.5
    told = 'warning cannot hear commands reason="Too many open files"'
    assert server.log.count(told) == 1
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
    assert ask(master, "status")["pid"] == server.pid
    assert server.stop() == 0


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
