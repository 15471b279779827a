"""Server events, line by line."""

import json
import os
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.monitor.log import Log, is_journal
from prefork.monitor.outlet import Outlet

NOW = 1795342623.123
STAMP = "2026-11-22T10:17:03.123Z"
TRACEBACK = 'Traceback (most recent call last):\n  File "x.py"\nKeyError: 1\n'


class Written:
    """A pipe with an outlet at its near end and a reader at its far one."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        os.set_blocking(self.reader, False)
        self.outlet = Outlet(self.writer)

    def read(self) -> str:
        try:
            return os.read(self.reader, 1 << 20).decode()
        except BlockingIOError:
            return ""

    def close(self) -> None:
        self.outlet.close()
        os.close(self.reader)
        os.close(self.writer)


@pytest.fixture
def written() -> Iterator[Written]:
    written = Written()
    yield written
    written.close()


MakeLog = Callable[..., Log]


@pytest.fixture
def make_log(written: Written) -> MakeLog:
    def make_log(**options: object) -> Log:
        return Log(written.outlet, clock=lambda: NOW, **options)  # type: ignore[arg-type]

    return make_log


def test_an_event_is_a_line(written: Written, make_log: MakeLog) -> None:
    make_log().info("reaped worker", slot=3, pid=812, status=0)
    assert written.read() == f"{STAMP} info reaped worker slot=3 pid=812 status=0\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1.5, "1.5"),
        (None, "-"),
        (True, "True"),
        ("GET /", '"GET /"'),
        ("a\r\n\x1b[2J", '"a\\x0d\\x0a\\x1b[2J"'),
        ("", '""'),
    ],
)
def test_a_value_is_quoted_when_it_must(
    written: Written, make_log: MakeLog, value: object, shown: str
) -> None:
    make_log().info("did it", value=value)
    assert written.read() == f"{STAMP} info did it value={shown}\n"


@pytest.mark.parametrize(
    ("level", "heard"),
    [
        ("debug", ["debug", "info", "warning", "error", "critical"]),
        ("info", ["info", "warning", "error", "critical"]),
        ("warning", ["warning", "error", "critical"]),
        ("error", ["error", "critical"]),
        ("critical", ["critical"]),
    ],
)
def test_says_nothing_below_its_level(
    written: Written, make_log: MakeLog, level: str, heard: list[str]
) -> None:
    log = make_log(level=level)
    for say in (log.debug, log.info, log.warning, log.error, log.critical):
        say("did it")
    assert [line.split()[1] for line in written.read().splitlines()] == heard


def test_can_change_its_level_and_its_format(
    written: Written, make_log: MakeLog
) -> None:
    log = make_log(level="error", format="json")
    log.configure(level="info", format="text", journal=False)
    log.info("did it")
    assert written.read() == f"{STAMP} info did it\n"


def test_a_traceback_follows_its_event_indented(
    written: Written, make_log: MakeLog
) -> None:
    make_log().error("failed request", text=TRACEBACK + "\x1bforged\n", status=500)
    assert written.read() == (
        f"{STAMP} error failed request status=500\n"
        "  Traceback (most recent call last):\n"
        '    File "x.py"\n'
        "  KeyError: 1\n"
        "  \\x1bforged\n"
    )


def test_a_log_with_fields_puts_them_first(written: Written, make_log: MakeLog) -> None:
    log = make_log(level="warning")
    worker = log.with_fields(slot=3).with_fields(pid=812)
    worker.warning("left late", seconds=2)
    worker.info("is too quiet")
    log.warning("is alone")
    assert written.read() == (
        f"{STAMP} warning left late slot=3 pid=812 seconds=2\n"
        f"{STAMP} warning is alone\n"
    )


def test_json_is_one_object_a_line(written: Written, make_log: MakeLog) -> None:
    log = make_log(format="json")
    log.error("failed request", slot=3, path='/"\n', why=ValueError("x"), text="a\nb")
    line, end = written.read().split("\n")
    assert end == ""
    assert json.loads(line) == {
        "time": STAMP,
        "level": "error",
        "event": "failed request",
        "slot": 3,
        "path": '/"\n',
        "why": "x",
        "text": "a\nb",
    }


# The journal


@pytest.mark.parametrize(
    ("level", "number"),
    [("debug", 7), ("info", 6), ("warning", 4), ("error", 3), ("critical", 2)],
)
def test_under_journald_a_priority_stands_for_the_time(
    written: Written, make_log: MakeLog, level: str, number: int
) -> None:
    getattr(make_log(level="debug", journal=True), level)("did it", slot=1)
    assert written.read() == f"<{number}>{level} did it slot=1\n"


def test_under_journald_each_line_has_the_priority(
    written: Written, make_log: MakeLog
) -> None:
    make_log(journal=True).error("failed request", text="a\nb")
    assert written.read() == "<3>error failed request\n<3>  a\n<3>  b\n"


def test_under_journald_json_has_it_too(written: Written, make_log: MakeLog) -> None:
    make_log(journal=True, format="json").info("did it")
    line = written.read()
    assert line.startswith("<6>{")
    assert json.loads(line[3:])["event"] == "did it"


def test_knows_the_journal_by_device_and_inode(written: Written) -> None:
    status = os.fstat(written.writer)
    number = f"{status.st_dev}:{status.st_ino}"
    assert is_journal(written.writer, {"JOURNAL_STREAM": number})
    assert not is_journal(written.writer, {"JOURNAL_STREAM": "8:1234"})
    assert not is_journal(written.writer, {"JOURNAL_STREAM": ""})
    assert not is_journal(written.writer, {})
    assert not is_journal(-1, {"JOURNAL_STREAM": number})


# Lines that were dropped


def fill(written: Written) -> None:
    while written.outlet.offer(b"x" * 4095 + b"\n"):
        pass


def test_tells_once_how_many_lines_were_dropped(
    written: Written, make_log: MakeLog
) -> None:
    log = make_log(level="error")
    fill(written)
    for _ in range(7):
        log.error("was not heard")
    assert written.outlet.dropped == 7
    written.read()
    log.error("was heard")
    log.with_fields(slot=1).error("was heard")
    assert written.read() == (
        f"{STAMP} warning dropped log lines count=7\n"
        f"{STAMP} error was heard\n"
        f"{STAMP} error was heard slot=1\n"
    )


def test_counts_only_what_was_not_told_yet(written: Written, make_log: MakeLog) -> None:
    log = make_log()
    for number in (2, 3):
        fill(written)
        for _ in range(number):
            log.info("was not heard")
        written.read()
        log.info("was heard")
        assert f"count={number}\n" in written.read()
    assert written.outlet.dropped == 5


@given(st.text(), st.text())
@settings(max_examples=50)
def test_nothing_forges_a_line(event: str, value: str) -> None:
    written = Written()
    log = Log(written.outlet, clock=lambda: NOW)
    log.error(event, value=value, text=value)
    lines = written.read().split("\n")
    written.close()
    assert lines.pop() == ""
    assert lines[0].startswith(STAMP)
    assert all(line.startswith("  ") for line in lines[1:])
    assert all(line.isprintable() for line in lines)
