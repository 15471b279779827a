"""prefork.system.processes: born, adopted, reaped; with real ones."""

import contextlib
import errno
import fcntl
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import eventually

from prefork.system.processes import (
    become,
    become_subreaper,
    describe_exit,
    die_with,
    fork_orphan,
    reap,
    spawn,
)

pytestmark = pytest.mark.process

PATIENCE = 5.0  # seconds for the process between


def in_child(work: Callable[[], object]) -> int:
    """Run `work` in a child, which exits with 0 unless it raises; its pid."""
    pid = os.fork()
    if not pid:
        try:
            work()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(99)
    return pid


def exit_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def as_master(work: Callable[[], object]) -> None:
    """Run `work` in a process that adopts orphans; its assertions count."""

    def master() -> None:
        become_subreaper()
        work()

    assert exit_of(in_child(master)) == 0, "see the traceback on stderr"


def wait_reaped(count: int) -> dict[int, int]:
    """Reap until so many children have exited: pid → code."""
    exited: dict[int, int] = {}

    def enough() -> bool:
        exited.update(reap())
        return len(exited) >= count

    eventually(enough)
    return exited


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


# Adopted


def test_a_grandchild_becomes_a_child() -> None:
    def work() -> None:
        reader, writer = os.pipe()
        master = os.getpid()

        def template() -> None:
            status = fork_orphan(
                lambda pid: os.write(writer, b"announced %d\n" % pid), patience=PATIENCE
            )
            if status is None:
                os.write(writer, b"born %d of %d\n" % (os.getpid(), os.getppid()))
                os._exit(3)
            assert status == 0

        in_child(template)
        exits = wait_reaped(2)
        said = dict(
            line.split(" ", 1) for line in os.read(reader, 1000).decode().splitlines()
        )
        worker = int(said["announced"])
        assert said["born"] == f"{worker} of {master}"
        assert exits.pop(worker) == 3
        assert list(exits.values()) == [0]

    as_master(work)


def test_the_grandchild_returns_after_it_was_adopted() -> None:
    """So what is armed for its parent's death is armed for the master's."""

    def work() -> None:
        reader, writer = os.pipe()
        master = os.getpid()

        def template() -> None:
            if fork_orphan(lambda pid: None, patience=PATIENCE) is None:
                os.write(writer, b"1" if die_with(master, signal.SIGKILL) else b"0")
                os._exit(0)

        for _ in range(10):
            in_child(template)
        wait_reaped(20)
        assert os.read(reader, 100) == b"1" * 10

    as_master(work)


def test_a_hook_that_hangs_in_between_is_not_waited_for() -> None:
    """Behaviour 8: os.register_at_fork is the application's to use."""

    def work() -> None:
        def template() -> None:
            os.register_at_fork(after_in_child=lambda: time.sleep(60))
            before = time.monotonic()
            status = fork_orphan(lambda pid: None, patience=0.2)
            assert status == -signal.SIGKILL
            assert time.monotonic() - before < 5

        pid = in_child(template)
        assert wait_reaped(1) == {pid: 0}

    as_master(work)


def test_an_announcement_that_hangs_leaves_an_orphan_that_is_known() -> None:
    """The process between is killed; the worker is adopted all the same."""

    def work() -> None:
        def template() -> None:
            status = fork_orphan(lambda pid: time.sleep(60), patience=2)
            if status is None:
                os._exit(3)
            assert status == -signal.SIGKILL

        in_child(template)
        assert sorted(wait_reaped(2).values()) == [0, 3]

    as_master(work)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a user of its own")
def test_a_fork_that_fails_says_why() -> None:
    """Behaviour 17: RLIMIT_NPROC."""

    def work() -> None:
        def template() -> None:
            os.setuid(54321)  # root has no limit
            resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
            with contextlib.suppress(BlockingIOError):
                fork_orphan(lambda pid: None, patience=PATIENCE)
                raise AssertionError("there is no limit")

        def template_of_one() -> None:
            """The process between can be forked, and can fork nobody."""
            os.setuid(54322)
            resource.setrlimit(resource.RLIMIT_NPROC, (2, 2))
            try:
                fork_orphan(lambda pid: None, patience=PATIENCE)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    return
                raise
            raise AssertionError("there is no limit")

        for each in (template, template_of_one):
            assert exit_of(in_child(each)) == 0

    as_master(work)


def test_a_grandchild_whose_master_has_died_does_not_live() -> None:
    """Behaviour 49: no stray one, whenever it was."""
    reader, writer = os.pipe()

    def master() -> None:
        become_subreaper()

        def template() -> None:
            def kill_master(pid: int) -> None:
                os.write(writer, b"%d\n" % pid)
                os.kill(master_pid, signal.SIGKILL)
                eventually(lambda: not is_alive(master_pid))

            if fork_orphan(kill_master, patience=PATIENCE) is None:
                os.write(writer, b"lives\n")
            os._exit(0)

        master_pid = os.getpid()
        os.waitpid(in_child(template), 0)

    assert exit_of(in_child(master)) == -signal.SIGKILL
    worker = int(eventually(lambda: os.read(reader, 100)))
    eventually(lambda: not is_alive(worker))
    os.set_blocking(reader, False)
    with pytest.raises(BlockingIOError):
        os.read(reader, 100)
    os.close(reader)
    os.close(writer)


# Dying together


def test_whoever_is_to_die_with_its_parent_does() -> None:
    reader, writer = os.pipe()

    def parent() -> None:
        me = os.getpid()

        def child() -> None:
            assert die_with(me, signal.SIGKILL)
            os.write(writer, b"%d" % os.getpid())
            time.sleep(60)

        in_child(child)
        time.sleep(60)

    pid = in_child(parent)
    child = int(os.read(reader, 100))
    os.kill(pid, signal.SIGKILL)
    assert exit_of(pid) == -signal.SIGKILL
    eventually(lambda: not is_alive(child))
    os.close(reader)
    os.close(writer)


def test_a_parent_that_is_dead_already_is_said_to_be() -> None:
    def child() -> None:
        assert not die_with(2**22 + 1, 0)  # beyond any pid: not our parent

    assert exit_of(in_child(child)) == 0


# Reaped


def test_without_children_nobody_is_reaped() -> None:
    as_master(lambda: [*reap()] == [] or os._exit(1))


def test_who_is_not_looked_at_yet_can_still_be_signalled() -> None:
    """A master that buries one may want to end the other, which has died as well."""

    def master() -> None:
        pids = [in_child(lambda: None) for _ in range(2)]
        for pid in pids:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
        exited = reap()
        first, _ = next(exited)
        (second,) = {*pids} - {first}
        os.kill(second, signal.SIGKILL)
        assert next(exited) == (second, 0)
        assert not [*exited]

    as_master(master)


def test_everybody_who_has_exited_is_reaped_at_once() -> None:
    def work() -> None:
        pids = [in_child(lambda code=code: os._exit(code)) for code in range(5)]
        killed = in_child(lambda: time.sleep(60))
        living = in_child(lambda: time.sleep(60))
        os.kill(killed, signal.SIGKILL)
        exits = wait_reaped(6)
        assert exits == {**dict(zip(pids, range(5), strict=True)), killed: -9}
        os.kill(living, signal.SIGKILL)
        assert wait_reaped(1) == {living: -9}

    as_master(work)


@pytest.mark.parametrize(
    ("code", "text"), [(0, "exit code 0"), (3, "exit code 3"), (-11, "SIGSEGV")]
)
def test_an_exit_can_be_described(code: int, text: str) -> None:
    assert describe_exit(code) == text


# Spawned


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module that a spawned process can run."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path / "spawned_module.py"


def report_of(module: Path, source: str, *arguments: str) -> str:
    """What the module says on descriptor 5 when it is spawned."""
    module.write_text(f"import os, signal, sys\nos.write(5, str({source}).encode())\n")
    reader, writer = os.pipe()
    pid = spawn(module.stem, arguments, descriptors={writer: 5})
    os.close(writer)
    with open(reader) as file:
        report = file.read()
    assert exit_of(pid) == 0
    return report


def test_a_spawned_module_has_its_arguments(module: Path) -> None:
    assert report_of(module, "sys.argv[1:]", "-a", "b c") == "['-a', 'b c']"


def test_it_inherits_only_what_it_was_given(module: Path) -> None:
    with open(os.devnull) as file:
        ours = fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, 300)
        listing = report_of(module, "os.listdir('/proc/self/fd')")
        os.close(ours)
    assert "'5'" in listing
    assert f"'{ours}'" not in listing


def test_it_has_a_session_of_its_own(module: Path) -> None:
    """Behaviour 45: a ^C at the terminal is for the master alone."""
    assert report_of(module, "os.getsid(0) == os.getpid()") == "True"


def test_its_signals_are_as_at_the_beginning(module: Path) -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        report = report_of(
            module,
            "(signal.getsignal(15), len(signal.pthread_sigmask(signal.SIG_BLOCK, [])))",
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        signal.signal(signal.SIGTERM, before)
    assert report == "(<Handlers.SIG_DFL: 0>, 0)"


def test_a_module_in_the_working_directory_is_not_ours(
    module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (there / "json.py").write_text("raise RuntimeError('not the real one')")
    monkeypatch.chdir(there)
    assert report_of(module, "__import__('json').dumps([1])") == "[1]"


def test_it_runs_in_the_same_mode(module: Path) -> None:
    report = report_of(module, "(sys.flags.optimize, sys.dont_write_bytecode)")
    assert report == str((sys.flags.optimize, sys.dont_write_bytecode))


# Becoming another program


def test_becomes_another_program_with_what_it_keeps(tmp_path: Path) -> None:
    (tmp_path / "heir.py").write_text(
        "import os, sys\n"
        "kept, lost = map(int, sys.argv[1:])\n"
        "has_lost = not os.path.exists(f'/proc/self/fd/{lost}')\n"
        "os.write(kept, f'{os.getpid()} {has_lost}'.encode())\n"
    )
    read_end, write_end = os.pipe()
    lost = os.open("/dev/null", os.O_RDONLY)  # close-on-exec, as all are

    def work() -> None:
        os.environ["PYTHONPATH"] = str(tmp_path)
        become("heir", [str(write_end), str(lost)], keep=[write_end])

    pid = in_child(work)
    os.close(write_end)
    os.close(lost)
    assert os.read(read_end, 100) == b"%d True" % pid
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    os.close(read_end)


def test_nothing_has_changed_when_it_cannot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/no/such/python")
    fd = os.open("/dev/null", os.O_RDONLY)
    with pytest.raises(FileNotFoundError):
        become("heir", [], keep=[fd])
    assert not os.get_inheritable(fd)
    os.close(fd)
