"""prefork.system.pidfile: its lock says who runs."""

import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.errors import SystemRefusal
from prefork.system.pidfile import PidFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "prefork.pid"


@pytest.fixture
def taken(path: Path) -> Iterator[PidFile]:
    pidfile = PidFile.take(str(path))
    yield pidfile
    pidfile.release()


def take_and_release(path: Path) -> None:
    PidFile.take(str(path)).release()


def test_holds_our_pid(path: Path, taken: PidFile) -> None:
    assert path.read_text() == f"{os.getpid()}\n"
    assert not os.get_inheritable(taken.fd)


def test_anyone_may_read_it(path: Path) -> None:
    umask = os.umask(0)
    try:
        pidfile = PidFile.take(str(path))
    finally:
        os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o644
    pidfile.release()


def test_is_removed_on_release(path: Path, taken: PidFile) -> None:
    taken.release()
    assert not path.exists()
    taken.release()  # twice is once


def test_refuses_one_that_is_held(path: Path, taken: PidFile) -> None:
    with pytest.raises(SystemRefusal) as caught:
        PidFile.take(str(path))
    assert f"process {os.getpid()} holds it (stop it, or" in str(caught.value)
    assert path.read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("content", ["", "1\n", f"{os.getppid()}\n", "123456789012\n"])
def test_takes_over_a_stale_one_whoever_has_its_pid_now(
    path: Path, content: str
) -> None:
    path.write_text(content)
    pidfile = PidFile.take(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    pidfile.release()


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("text", "holds something else than a pid"),
        ("directory", "is a directory"),
        ("fifo", "not a regular file"),
        ("link", "it is a symbolic link"),
        ("nowhere", "no such file or directory"),
    ],
)
def test_refuses_what_is_no_pid_file(tmp_path: Path, what: str, told: str) -> None:
    (tmp_path / "text").write_text("import os\n")
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("elsewhere")
    path = tmp_path / ("no/pid" if what == "nowhere" else what)
    with pytest.raises(SystemRefusal, match=f"cannot take pid file {path}: .*{told}"):
        PidFile.take(str(path))
    assert (tmp_path / "text").read_text() == "import os\n"
    assert not (tmp_path / "elsewhere").exists()


def test_a_disk_that_is_full_has_no_empty_file_afterwards(path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))  # as full, for us alone
    try:
        with pytest.raises(SystemRefusal, match="file too large"):
            PidFile.take(str(path))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not path.exists()
    take_and_release(path)


def test_leaves_the_file_of_a_successor(path: Path, taken: PidFile) -> None:
    path.unlink()
    successor = PidFile.take(str(path))
    taken.release()
    assert path.exists()
    successor.release()


def test_takes_the_file_that_others_will_find(
    path: Path, taken: PidFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    real_open = os.open

    def open_before_it_is_removed(*arguments: object) -> int:
        fd = real_open(*arguments)
        taken.release()
        return fd

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", open_before_it_is_removed)
        successor = PidFile.take(str(path))
    assert path.read_text() == f"{os.getpid()}\n"
    with pytest.raises(SystemRefusal):
        PidFile.take(str(path))
    successor.release()


@pytest.mark.process
@pytest.mark.parametrize("polite", [True, False])
def test_a_child_shares_the_lock_until_it_closes_it(
    path: Path, *, polite: bool
) -> None:
    pidfile = PidFile.take(str(path))
    told, tell = os.pipe()
    child = os.fork()
    if not child:
        if polite:
            pidfile.close_in_child()
        os.write(tell, b"!")
        signal.pause()
    os.read(told, 1)
    os.close(pidfile.fd)  # as if we had died
    try:
        if polite:
            take_and_release(path)
        else:
            with pytest.raises(SystemRefusal):
                take_and_release(path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(told)
        os.close(tell)


def test_the_lock_can_be_handed_to_the_program_that_is_next(path: Path) -> None:
    before = PidFile.take(str(path))
    after = PidFile(str(path), os.dup(before.fd))  # as after exec
    os.close(before.fd)
    with pytest.raises(SystemRefusal):
        PidFile.take(str(path))
    after.release()
    assert not path.exists()


def test_a_process_that_execs_goes_on_with_what_it_kept(taken: PidFile) -> None:
    heir = PidFile(**{**taken.state(), "fd": os.dup(taken.fd)})
    taken.close_in_child()  # exec closes the object, not the file
    with pytest.raises(SystemRefusal):
        take_and_release(Path(heir.path))
    heir.release()
    assert not Path(heir.path).exists()
