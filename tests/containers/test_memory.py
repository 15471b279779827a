"""Where there is little memory: 64 MiB for everything."""

import signal
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import Load, eventually
from serving.cgroup import limited_group
from serving.container import Container

pytestmark = pytest.mark.process

MOST = 64 << 20  # bytes


@pytest.mark.container
def test_two_workers_fit_into_64_mebibytes(container: Container) -> None:
    """All that they have in memory, what they share counted once."""
    container.start("-w", "2")
    with Load(container, clients=2, paths=["/", "/big?size=100000"]) as load:
        eventually(lambda: load.answered > 200)
        container.signal(signal.SIGHUP)  # when there are more of them than ever
        container.wait_log("phase=canary")
        taken = sum(proportional_set_size(pid) for pid in container.processes())
        container.wait_log("phase=commit")
    assert load.failures == []
    assert taken < MOST
    assert container.stop() == 0


def proportional_set_size(pid: int) -> int:
    """In bytes; 0: it is gone (proc_pid_smaps(5))."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) << 10


@pytest.mark.slow
def test_64_mebibytes_of_a_control_group_are_enough(container: Container) -> None:
    """Behaviour 19: nobody is killed, with what the kernel keeps for us included."""
    with ExitStack() as at_exit:
        try:
            group = at_exit.enter_context(limited_group(MOST))
        except OSError as error:
            pytest.skip(str(error))
        container.wrapper = [*group.wrapper, *container.wrapper]
        container.start("-w", "2")
        with Load(container, clients=2, paths=["/", "/big?size=100000"]) as load:
            eventually(lambda: load.answered > 200)
            container.signal(signal.SIGHUP)
            container.wait_log("phase=commit")
        assert load.failures == []
        assert "lost" not in container.log
        assert 10 << 20 < group.peak <= MOST
        assert container.stop() == 0
