"""prefork exec: copies of a program, kept on one socket."""

import os
import re
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGTERM, SIGTTIN, SIGTTOU, SIGUSR1

import pytest
from serving import eventually
from serving.keeper import Keeper

from prefork.errors import EXIT_CUT

pytestmark = [pytest.mark.process, pytest.mark.counterpart]

TWO = ("-w", "2")
ONE = ("-w", "1")


def test_serves_with_as_many_copies_as_it_was_told(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=TWO)
    copies = keeper.copies()
    assert len(copies) == 2
    assert {int(keeper.ask()) for _ in range(20)} <= set(copies)
    assert keeper.stop() == 0
    assert not os.path.exists(keeper.socket)


def test_a_copy_has_the_socket_its_output_and_nothing_else(keeper: Keeper) -> None:
    keeper.keep("sleep", "100", options=ONE)
    (copy,) = keeper.copies()
    # Behind what its loader opens.
    eventually(lambda: sorted(os.listdir(f"/proc/{copy}/fd")) == ["0", "1", "2"])
    flags = re.search(r"flags:\t0(\d+)", Path(f"/proc/{copy}/fdinfo/0").read_text())
    assert flags and not int(flags[1], 8) & os.O_NONBLOCK
    status = Path(f"/proc/{copy}/status").read_text()
    masks = re.findall(r"Sig(?:Ign|Blk):\t(\w+)", status)
    # Of the real-time signals glibc has some for itself.
    assert [int(mask, 16) & 0x7FFFFFFF for mask in masks] == [0, 0]
    assert os.getsid(copy) == os.getpgid(copy) == copy


def test_what_a_copy_writes_is_in_the_log_with_its_worker(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, "say=hear me\r\nand me", options=ONE)
    keeper.wait_log(r'program says worker=0 pid=\d+ stream=stderr line="hear me"')
    keeper.wait_log(r'stream=stderr line="and me"')


def test_a_copy_that_crashes_is_told_of_and_replaced(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=TWO)
    crashed = int(keeper.ask("/crash"))
    keeper.wait_log(r"error lost worker cause=.crashed: SIGABRT. ")
    eventually(lambda: len(keeper.copies()) == 2)
    assert crashed not in keeper.copies()


def test_an_exit_status_is_told_of(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    keeper.ask("/fail")
    keeper.wait_log(r"error lost worker cause=.exit code 3. ")


def test_kill_9_of_a_copy_is_that_of_its_worker(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    os.kill(keeper.copies()[0], SIGKILL)
    keeper.wait_log(r"lost worker cause=.SIGKILL from outside. ")
    eventually(lambda: len(keeper.copies()) == 2)


def test_copies_that_crash_again_and_again_come_ever_more_slowly(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=ONE)
    for _ in range(3):
        eventually(lambda: keeper.ask("/crash"))
    keeper.wait_log(r"backing off failures=2 ")


def test_one_that_leaves_in_good_order_is_followed_at_once(
    keeper: Keeper, program: str
) -> None:
    """php-cgi does so after 500 requests."""
    keeper.keep(program, options=ONE)
    left = int(keeper.ask("/leave"))
    assert int(keeper.ask()) != left
    assert "lost worker" not in keeper.log
    assert len(keeper.workers()) == 1
    keeper.wait_log(r"info program left worker=0 pid=\d+ times=1 lived=\d")


def test_a_program_that_ends_before_it_has_settled_is_no_start(
    keeper: Keeper, program: str
) -> None:
    options = (*TWO, "--settle", "30")
    keeper.keep(program, "say=I cannot", "exit=0", options=options, wait=False)
    assert keeper.wait() == 70
    assert "cannot start" in keeper.log
    assert "I cannot" in keeper.log
    line = keeper.wait_log(r"exit code 0 too early \(a program that goes into the.*")[0]
    assert "requests=" not in line


def test_a_program_that_is_not_there_is_no_start(keeper: Keeper) -> None:
    keeper.keep("no-such-program", wait=False)
    assert keeper.wait() == 70
    assert "cannot run no-such-program: there is no such program in PATH" in keeper.log


def test_a_script_without_its_interpreter_is_no_start(keeper: Keeper) -> None:
    program = keeper.directory / "it"
    program.write_text("#!/bin/sh\r\n")
    program.chmod(0o755)
    keeper.keep(str(program), wait=False)
    assert keeper.wait() == 70
    assert rf"cannot run {program}: what it needs to run is not there: '/bin/sh\r'" in (
        keeper.log
    )


def test_a_reload_replaces_all_copies(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    before = keeper.copies()
    reload = keeper.control("reload")
    assert reload.returncode == 0
    assert "looking for the program\n" in reload.stdout
    after = eventually(lambda: len(keeper.copies()) == 2 and keeper.copies())
    assert not set(before) & set(after)
    assert "lost worker" not in keeper.log


def test_a_reload_to_a_program_that_is_broken_keeps_the_old_copies(
    keeper: Keeper, program: str
) -> None:
    mine = keeper.directory / "mine"
    mine.symlink_to(program)
    settings = keeper.directory / "settings.toml"
    settings.write_text("settle = 0.2\n")
    keeper.keep(str(mine), options=(*TWO, "--config", str(settings)))
    before = keeper.copies()
    mine.unlink()
    mine.symlink_to("/bin/false")
    settings.write_text("settle = 30\n")  # which gives it time to fail
    reload = keeper.control("reload")
    assert reload.returncode == 70
    assert "a new worker died: exit code 1" in reload.stdout + reload.stderr
    assert keeper.copies() == before
    assert int(keeper.ask()) in before


def test_a_copy_that_is_asked_to_leave_finishes_first(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=ONE)
    with keeper.pending("/held") as answer:
        keeper.signal(SIGTERM)
        keeper.wait_log("received signal signal=SIGTERM")
        keeper.release()
        assert answer()
    assert keeper.wait() == 0


@pytest.mark.slow
def test_a_copy_that_does_not_leave_is_killed_with_all_it_has_started(
    keeper: Keeper, program: str
) -> None:
    options = (*ONE, "--retire-signal", "USR2", "--graceful-timeout", "1")
    keeper.keep(program, "deaf", "child", options=options)
    (copy,) = keeper.copies()
    eventually(lambda: [*map(_group_of, keeper.processes())].count(copy) == 2)
    with keeper.pending("/20000") as answered:
        assert keeper.stop() == EXIT_CUT
        assert "killed by prefork: over its graceful timeout" in keeper.log
        assert "requests_cut=1" in keeper.log
        assert not answered()
    eventually(lambda: not keeper.processes())


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return 0


def test_nothing_outlives_a_master_that_is_killed(keeper: Keeper, program: str) -> None:
    keeper.keep(program, "child", options=TWO)
    keeper.signal(SIGKILL)
    keeper.wait()
    eventually(lambda: not keeper.processes())


def test_nothing_outlives_a_worker_that_is_killed(keeper: Keeper, program: str) -> None:
    keeper.keep(program, "child", options=ONE)
    (worker,), (copy,) = keeper.workers(), keeper.copies()
    os.kill(worker, SIGKILL)
    eventually(lambda: len(keeper.copies()) == 1 and keeper.copies() != [copy])
    eventually(lambda: copy not in map(_group_of, keeper.processes()))


def test_what_a_copy_leaves_behind_is_killed(keeper: Keeper, program: str) -> None:
    keeper.keep(program, "child", options=ONE)
    (copy,) = keeper.copies()
    keeper.ask("/fail")
    eventually(lambda: copy not in map(_group_of, keeper.processes()))


def test_signals_add_and_remove_copies(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    keeper.signal(SIGTTIN)
    eventually(lambda: len(keeper.copies()) == 3)
    keeper.wait_log(r"started worker worker=2")
    keeper.signal(SIGTTOU)
    eventually(lambda: len(keeper.copies()) == 2)


def test_a_worker_that_is_sent_term_has_its_copy_leave(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=ONE)
    (worker,), (copy,) = keeper.workers(), keeper.copies()
    os.kill(worker, SIGTERM)
    keeper.wait_log(r"info retired worker")
    eventually(lambda: keeper.copies() not in ([], [copy]))


def test_there_are_no_stacks_to_be_dumped(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=ONE)
    dump = keeper.control("dump")
    assert dump.returncode == 1
    assert "a program" in dump.stderr
    assert len(keeper.workers()) == 1


@pytest.mark.slow
def test_an_upgrade_leaves_the_copies_alone_until_the_reload(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=TWO)
    before = keeper.copies()
    assert keeper.control("upgrade").returncode == 0
    assert "upgraded master" in keeper.log
    eventually(lambda: not set(before) & set(keeper.copies()))
    assert keeper.stop() == 0


def test_the_log_is_reopened_by_workers_too(keeper: Keeper, program: str) -> None:
    log = keeper.directory / "log"
    options = (*ONE, "--error-logfile", str(log))
    keeper.keep(program, "say=hello", options=options, wait=False)
    eventually(lambda: " ready workers=" in log.read_text())
    log.rename(keeper.directory / "old")
    keeper.signal(SIGUSR1)
    eventually(log.exists)
    keeper.signal(SIGHUP)
    eventually(lambda: "line=hello" in log.read_text())
    assert keeper.stop() == 0


@pytest.mark.slow
def test_connections_that_wait_bring_more_copies_and_their_absence_less(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=("-w", "1:3", "--idle-timeout", "1"))
    assert len(keeper.copies()) == 1
    with keeper.pending(*["/held"] * 12) as answers:
        eventually(lambda: len(keeper.copies()) == 3)
        keeper.release()
        assert answers()
    eventually(lambda: len(keeper.copies()) <= 2 and "workers=2 were=3" in keeper.log)


def test_of_0_a_copy_comes_with_the_first_who_calls(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=("-w", "0:2", "--idle-timeout", "0.5"))
    eventually(lambda: not keeper.copies())
    assert keeper.ask()


def test_a_copy_that_is_too_old_is_replaced_before_it_leaves(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=(*ONE, "--max-lifetime", "1"))
    story = (
        "replacing worker worker=0 .*reason=max-lifetime",
        "started worker worker=1 ",
        "retired worker worker=0 ",
    )
    keeper.wait_log("(?s:.*)".join(story))
    assert keeper.logged("lost worker") == 0


def test_the_memory_of_the_copy_counts(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=(*ONE, "--max-rss", "1"))
    found = keeper.wait_log(r"replacing worker .*max-rss 1: (\d+) bytes")
    assert 0 < int(found[1]) < 8 << 20  # an interpreter has more


@pytest.mark.slow
def test_a_server_that_stops_has_the_queue_emptied(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=ONE)
    with keeper.pending(*["/held"] * 6) as answered:
        eventually(lambda: keeper.status()["binds"][0]["queue"] >= 2)
        keeper.signal(SIGTERM)
        keeper.wait_log("received signal signal=SIGTERM")
        keeper.release()
        assert answered()
    assert keeper.wait() == 0
