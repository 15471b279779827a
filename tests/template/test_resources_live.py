"""What /proc says of workers that were given less, or more, than the master."""

import os
import re
from pathlib import Path

import pytest
from serving import Server

pytestmark = pytest.mark.process


def niceness(pid: int) -> int:
    return os.getpriority(os.PRIO_PROCESS, pid)


def oom_score_adj(pid: int) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


def limit(pid: int, name: str) -> str:
    """The soft and the hard limit, as proc_pid_limits(5) shows them."""
    text = Path(f"/proc/{pid}/limits").read_text()
    return " ".join(re.search(rf"{name} +(\S+) +(\S+)", text).groups())


def test_workers_are_limited_and_the_master_is_not(server: Server) -> None:
    """Behaviour 80."""
    before = {name: limit(os.getpid(), name) for name in ("Max open files", "Max core")}
    limits = ("--rlimit", "nofile=200", "--rlimit", "core=0")
    server.start("-w", "2", "--nice", "7", *limits)
    for worker in server.workers():
        assert niceness(worker) == 7
        assert limit(worker, "Max open files") == "200 200"
        assert limit(worker, "Max core file size") == "0 0"
        assert oom_score_adj(worker) == min(1000, oom_score_adj(server.pid) + 200)
    assert niceness(server.pid) == niceness(os.getpid())
    assert oom_score_adj(server.pid) == oom_score_adj(os.getpid())
    assert {name: limit(server.pid, name) for name in before} == before
    assert server.get("/")[0] == 200
    assert server.stop() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_resources_are_claimed_before_privileges_are_dropped(server: Server) -> None:
    """Behaviour 80."""
    resources = ("--nice", "-3", "--rlimit", "nofile=300")
    server.start("-w", "1", "-u", "nobody", *resources, app="plain:wsgi")
    (worker,) = server.workers()
    assert niceness(worker) == -3
    assert limit(worker, "Max open files") == "300 300"
    assert "\nUid:\t65534\t" in Path(f"/proc/{worker}/status").read_text()


def test_each_worker_has_its_processor(server: Server) -> None:
    """Behaviour 80: in turn, by slot; the master may run on all of them."""
    cpus = sorted(os.sched_getaffinity(0))
    server.start("-w", "3", "--cpu-affinity", "auto")
    for pid, title in server.processes().items():
        slot = re.match(r"prefork: worker (\d+)", title)
        ours = {cpus[int(slot[1]) % len(cpus)]} if slot else set(cpus)
        assert os.sched_getaffinity(pid) == ours


def test_workers_keep_to_the_processors_that_were_named(server: Server) -> None:
    cpu = max(os.sched_getaffinity(0))
    server.start("-w", "2", "--cpu-affinity", str(cpu))
    assert all(os.sched_getaffinity(pid) == {cpu} for pid in server.workers())


def test_a_processor_that_is_not_there_ends_the_start(server: Server) -> None:
    server.start("--cpu-affinity", "8000", wait=False)
    assert server.wait() == 1
    assert "cannot run on processor 8000 (there are" in server.log
