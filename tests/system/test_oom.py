"""prefork.system.oom: the kernel's own count of those it killed for memory."""

from pathlib import Path

import pytest

from prefork.system.oom import FRESH, OomKills, find_counter, read_count

EVENTS = "low 0\nhigh 3\nmax 81\noom 2\noom_kill {}\noom_group_kill 0\n"
CONTROL = "oom_kill_disable 0\nunder_oom 0\noom_kill {}\n"


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    path = tmp_path / "memory.events"
    path.write_text(EVENTS.format(7))
    return path


# The count


@pytest.mark.parametrize("text", [EVENTS, CONTROL])
def test_reads_the_count_of_both_versions(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counter"
    path.write_text(text.format(12))
    assert read_count(str(path)) == 12


@pytest.mark.parametrize("text", ["", "oom_kill\n", "oom_kill many\n", "oom 4\n"])
def test_what_cannot_be_read_counts_nobody(tmp_path: Path, text: str) -> None:
    path = tmp_path / "counter"
    path.write_text(text)
    assert read_count(str(path)) == 0
    assert read_count(str(tmp_path / "absent")) == 0


# Whom it explains


def test_a_kill_that_was_counted_explains_a_death(counter: Path) -> None:
    """Behaviour 19."""
    kills = OomKills(str(counter))
    counter.write_text(EVENTS.format(8))
    assert kills.claim(100.0)


def test_a_death_that_was_not_counted_is_somebody_else_s_doing(counter: Path) -> None:
    """Behaviour 19: it is never guessed."""
    kills = OomKills(str(counter))
    assert not kills.claim(100.0)


def test_each_kill_explains_one_death(counter: Path) -> None:
    kills = OomKills(str(counter))
    counter.write_text(EVENTS.format(9))
    assert [kills.claim(100.0) for _ in range(3)] == [True, True, False]


def test_a_victim_that_is_reaped_a_while_later_is_explained(counter: Path) -> None:
    """To free its memory takes time; meanwhile the counter is looked at."""
    kills = OomKills(str(counter))
    counter.write_text(EVENTS.format(8))
    kills.look_now_and_then(100.0)
    assert kills.claim(103.0)


def test_an_old_kill_explains_nothing(counter: Path) -> None:
    """It was a child of the application's, which we do not reap."""
    kills = OomKills(str(counter))
    counter.write_text(EVENTS.format(8))
    kills.look_now_and_then(100.0)
    assert not kills.claim(100.0 + FRESH)


def test_without_a_counter_nothing_is_explained() -> None:
    kills = OomKills(None)
    kills.look_now_and_then(100.0)
    assert not kills.claim(101.0)


# Where it is


class Machine:
    """A directory that stands for /proc/self, and one for /sys/fs/cgroup."""

    def __init__(self, root: Path) -> None:
        self.process = root / "proc"
        self.mounted = root / "cgroup"
        self.process.mkdir()

    def describe(self, *, cgroup: str, mounts: list[str]) -> None:
        (self.process / "cgroup").write_text(cgroup)
        lines = [f"31 23 0:28 {mount.format(self.mounted)}\n" for mount in mounts]
        (self.process / "mountinfo").write_text("".join(lines))

    def create(self, path: str) -> str:
        file = self.mounted / path
        file.parent.mkdir(parents=True)
        file.touch()
        return str(file)

    def find(self) -> str | None:
        return find_counter(str(self.process))


V2 = "/ {} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"
V1_MEMORY = "/ {}/memory rw - cgroup cgroup rw,memory"
DISK = "/ / rw - ext4 /dev/sda1 rw"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_finds_the_group_of_a_systemd_unit(machine: Machine) -> None:
    machine.describe(cgroup="0::/system.slice/app.service\n", mounts=[DISK, V2])
    file = machine.create("system.slice/app.service/memory.events")
    assert machine.find() == file


def test_finds_the_group_of_a_container_with_its_own_root(machine: Machine) -> None:
    machine.describe(cgroup="0::/\n", mounts=[V2])
    assert machine.find() is None
    file = machine.create("memory.events")
    assert machine.find() == file


def test_finds_a_group_of_which_only_a_part_is_mounted(machine: Machine) -> None:
    mount = V2.replace("/ ", "/docker/4711 ", 1)
    machine.describe(cgroup="0::/docker/4711/app\n", mounts=[mount])
    file = machine.create("app/memory.events")
    assert machine.find() == file


def test_finds_the_group_of_version_1(machine: Machine) -> None:
    """On a machine with both, where only one of them counts memory."""
    machine.describe(
        cgroup="9:name=systemd:/x\n4:cpuset,memory:/pool\n0::/\n",
        mounts=[V1_MEMORY, V2.replace("{}", "{}/unified")],
    )
    file = machine.create("memory/pool/memory.oom_control")
    assert machine.find() == file


@pytest.mark.parametrize("cgroup", ["", "0::/nowhere\n"])
def test_there_may_be_none(machine: Machine, cgroup: str) -> None:
    machine.describe(cgroup=cgroup, mounts=[DISK, V2])
    assert machine.find() is None


def test_there_may_be_no_proc(tmp_path: Path) -> None:
    assert find_counter(str(tmp_path)) is None
