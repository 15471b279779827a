"""prefork.system.resources, each in a child that takes the consequences."""

import errno
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from prefork.errors import SystemRefusal
from prefork.system import resources

pytestmark = pytest.mark.process

NOBODY = 65534
CAP_SYS_RESOURCE = 24  # linux/capability.h


def has_capability(number: int) -> bool:
    """May we do what even root may not in many a container?"""
    status = Path("/proc/self/status").read_text()
    return bool(int(re.search(r"CapEff:\s*(\w+)", status)[1], 16) >> number & 1)


only_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def in_child(task: Callable[[], object]) -> str:
    """What `task` returns in a child, or what it refused, as text."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            result = str(task())
        except BaseException as error:
            result = f"{type(error).__name__}: {error}"
        os.write(write_end, result.encode())
        os._exit(0)
    os.close(write_end)
    with open(read_end) as pipe:
        result = pipe.read()
    os.waitpid(pid, 0)
    return result


def oom_score_adj() -> int:
    return int(Path("/proc/self/oom_score_adj").read_text())


def test_a_child_is_more_expendable_than_we() -> None:
    def become() -> int:
        resources.become_expendable()
        return oom_score_adj()

    assert int(in_child(become)) == min(1000, oom_score_adj() + 200)


def test_nobody_is_more_expendable_than_the_kernel_allows() -> None:
    def become() -> int:
        for _ in range(10):
            resources.become_expendable()
        return oom_score_adj()

    assert in_child(become) == "1000"


def test_a_process_can_be_nice() -> None:
    def be_nice() -> int:
        resources.set_niceness(15)
        return os.getpriority(os.PRIO_PROCESS, 0)

    assert in_child(be_nice) == "15"


@only_root
def test_who_is_not_root_cannot_be_less_nice() -> None:
    def be_rude() -> None:
        os.setresuid(NOBODY, NOBODY, NOBODY)
        resources.set_niceness(-5)

    refused = "SystemRefusal: cannot set the niceness to -5: permission denied (start "
    assert in_child(be_rude).startswith(refused)


def test_a_limit_is_both_soft_and_hard() -> None:
    def limit() -> object:
        resources.set_limits([("nofile", 100), ("core", 0)])
        kinds = (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE)
        return [resource.getrlimit(kind) for kind in kinds]

    assert in_child(limit) == "[(100, 100), (0, 0)]"


@pytest.mark.skipif(
    not has_capability(CAP_SYS_RESOURCE), reason="needs CAP_SYS_RESOURCE"
)
def test_root_can_raise_a_limit_or_take_it_away() -> None:
    def limit() -> object:
        resource.setrlimit(resource.RLIMIT_CORE, (10, 10))
        resources.set_limits([("core", None)])
        return resource.getrlimit(resource.RLIMIT_CORE)

    assert in_child(limit) == f"({resource.RLIM_INFINITY}, {resource.RLIM_INFINITY})"


@only_root
def test_nobody_else_can() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_CORE, (10, 10))
        os.setresuid(NOBODY, NOBODY, NOBODY)
        resources.set_limits([("core", 20)])

    refusal = in_child(limit)
    assert refusal.startswith("SystemRefusal: cannot set the limit core to 20: ")


def test_all_processors_are_those_that_we_may_run_on() -> None:
    assert set(resources.find_cpus(None)) == os.sched_getaffinity(0)


def test_a_processor_that_is_not_ours_is_refused() -> None:
    ours = resources.find_cpus(None)
    assert resources.find_cpus(reversed(ours)) == ours[::-1]
    with pytest.raises(SystemRefusal, match="cannot run on processor 8000"):
        resources.find_cpus([ours[0], 8000])


def test_a_sandbox_that_forbids_to_choose_is_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Before there are workers: each would only run where it likes."""

    def forbid(pid: int, cpus: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "sched_setaffinity", forbid)
    with pytest.raises(SystemRefusal, match=r"operation not permitted .*CPUAffinity="):
        resources.find_cpus(None)


def test_a_process_can_be_bound_to_a_processor() -> None:
    cpu = resources.find_cpus(None)[-1]

    def bind() -> object:
        resources.run_on(cpu)
        return os.sched_getaffinity(0)

    assert in_child(bind) == str({cpu})


def test_a_processor_that_was_taken_away_binds_nobody() -> None:
    def bind() -> object:
        resources.run_on(8000)
        return os.sched_getaffinity(0)

    assert in_child(bind) == str(os.sched_getaffinity(0))
