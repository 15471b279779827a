"""What is told of copies: nothing that only they know."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest
from serving import eventually
from serving.keeper import Keeper
from serving.notify_socket import NotifySocket

pytestmark = [pytest.mark.process, pytest.mark.counterpart]

TWO = ("-w", "2")


def test_a_slot_has_the_pid_of_the_copy_and_no_figures(
    keeper: Keeper, program: str
) -> None:
    keeper.keep(program, options=TWO)
    keeper.ask()
    slots = keeper.status()["slots"]
    assert sorted(slot["program"] for slot in slots) == sorted(keeper.copies())
    assert {slot["state"] for slot in slots} == {"serving"}
    for unknown in ("busy", "requests", "errors", "busy_seconds", "lobby", "draining"):
        assert {slot[unknown] for slot in slots} == {None}


def test_there_are_no_totals(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    keeper.ask()
    status = keeper.status()
    assert (status["totals"], status["latency"]) == (None, None)
    assert (status["workers"]["serving"], status["workers"]["busy"]) == (2, None)


def test_the_tables_have_dashes(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    status = keeper.control("status").stdout
    row = status.splitlines()[-1].split()
    assert int(row[1]) in keeper.copies()
    assert row[6:8] == ["-", "-"]
    assert "2 of 2 serve\n" in status
    top = keeper.control("top", "--once").stdout
    assert str(keeper.copies()[0]) in top
    for text in (status, top):
        assert not re.search("^requests|busy|p99", text, re.MULTILINE)


def test_systemd_is_told_of_neither_load_nor_requests(
    keeper: Keeper, program: str
) -> None:
    with closing(NotifySocket(keeper.directory / "notify")) as systemd:
        keeper.keep(program, options=TWO, env={"NOTIFY_SOCKET": systemd.address})
        line = "2/2 serve, gen 1, queue 0"
        eventually(lambda: line in systemd.lines("STATUS"), within=20)


def test_a_stop_does_not_tell_how_many_are_busy(keeper: Keeper, program: str) -> None:
    keeper.keep(program, options=TWO)
    with keeper.pending("/held") as answered, ThreadPoolExecutor(1) as operator:
        stop = operator.submit(keeper.control, "stop")
        keeper.wait_log("received command verb=stop")
        keeper.release()
        assert answered()
        assert stop.result().returncode == 0
    assert "2 workers to go\n" in stop.result().stdout
