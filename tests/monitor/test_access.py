"""Lines of the access log, and what becomes of them."""

import json
import os
from collections.abc import Iterator
from tempfile import TemporaryFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefork.monitor.access import AccessLog, Entry
from prefork.monitor.log import Log
from prefork.monitor.outlet import Outlet


class Lines:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.dropped = 0
        self.is_open = True
        self.data: list[bytes] = []

    def write(self, data: bytes, /) -> bool:
        if self.is_open:
            self.data.append(data)
        else:
            self.dropped += 1
        return self.is_open


VARIABLES = {
    "REMOTE_ADDR": "192.0.2.7",
    "REQUEST_METHOD": "POST",
    "REQUEST_URI": "/a?x=1",
    "PATH_INFO": "/a",
    "SERVER_PROTOCOL": "HTTP/1.1",
    "HTTP_HOST": "example.org",
    "HTTP_REFERER": "https://example.org/",
    "HTTP_USER_AGENT": "curl/8.5.0",
}


def make_entry(
    variables: dict[str, str], *, request_line: str = "", note: str = ""
) -> Entry:
    return Entry(
        variables=variables,
        request_line=request_line,
        status=200,
        headers=[],
        sent=512,
        seconds=0.0123456789,
        started=1795342623.123,
        pid=812,
        note=note,
    )


def test_a_client_does_not_choose_the_priority_in_the_journal() -> None:
    """sd-daemon(3): what begins with <0> is shown to everyone who is logged in."""
    lines = Lines()
    variables = {**VARIABLES, "HTTP_USER_AGENT": "<0>fire"}
    AccessLog(lines, format="%(a)s", journal=True).write(make_entry(variables))
    AccessLog(lines, format="%(a)s").write(make_entry(variables))
    assert lines.data == [b"<6><0>fire\n", b"<0>fire\n"]


def test_the_usual_format_is_the_combined_one() -> None:
    before, _, after = AccessLog(Lines()).line(make_entry(VARIABLES)).partition(" [")
    assert before == "192.0.2.7 - -"
    assert after.split("] ")[1] == (
        '"POST /a?x=1 HTTP/1.1" 200 512 "https://example.org/" "curl/8.5.0"'
    )


def test_a_line_goes_to_the_sink_in_one_piece() -> None:
    sink = Lines()
    AccessLog(sink, format="é %(s)s").write(make_entry(VARIABLES))
    AccessLog(sink, format="\udcff").write(make_entry(VARIABLES))
    assert sink.data == ["é 200\n".encode(), b"\\udcff\n"]


def test_json_tells_all_there_is_to_tell() -> None:
    log = AccessLog(Lines(), kind="json")
    assert json.loads(log.line(make_entry(VARIABLES))) == {
        "time": "2026-11-22T10:17:03.123Z",
        "remote": "192.0.2.7",
        "user": None,
        "method": "POST",
        "path": "/a?x=1",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes": 512,
        "seconds": 0.012346,
        "referer": "https://example.org/",
        "user_agent": "curl/8.5.0",
        "host": "example.org",
        "pid": 812,
    }


def test_json_of_a_refused_request_has_the_line_and_the_reason() -> None:
    entry = make_entry({}, request_line="GET /\0 HTTP/9", note="NUL in the head")
    told = json.loads(AccessLog(Lines(), kind="json").line(entry))
    assert told["method"] is None
    assert told["request"] == "GET /\0 HTTP/9"
    assert told["note"] == "NUL in the head"


@pytest.mark.parametrize(
    ("wire", "told"),
    [
        ("é".encode(), "é"),
        (b"\xff!", "\\xff!"),
        (b"x" * 9000, "x" * 2048 + "..."),
    ],
)
def test_json_has_text_where_the_client_sent_utf_8(wire: bytes, told: str) -> None:
    entry = make_entry(VARIABLES | {"HTTP_USER_AGENT": wire.decode("latin-1")})
    line = AccessLog(Lines(), kind="json").line(entry)
    assert json.loads(line)["user_agent"] == told


@given(st.text(), st.text(), st.text())
@settings(max_examples=50)
def test_json_is_one_line_of_ascii_whatever_comes(
    uri: str, agent: str, note: str
) -> None:
    variables = VARIABLES | {"REQUEST_URI": uri, "HTTP_USER_AGENT": agent}
    line = AccessLog(Lines(), kind="json").line(make_entry(variables, note=note))
    assert line.isascii()
    assert line.isprintable()
    assert json.loads(line)["status"] == 200
    assert json.loads(line).get("note", "") == note


# Lines that were dropped


@pytest.fixture
def log() -> Iterator[Log]:
    with TemporaryFile() as file:
        yield Log(Outlet(file.fileno()))


def heard(log: Log) -> list[str]:
    text = os.pread(log.outlet.fd, 65536, 0).decode()
    return [line.partition(" ")[2] for line in text.splitlines()]


def test_the_log_is_told_how_many_lines_were_dropped(log: Log) -> None:
    sink = Lines()
    access = AccessLog(sink, log=log)
    sink.dropped = 7
    for _ in range(2):
        access.write(make_entry(VARIABLES))
    assert heard(log) == ["warning dropped access lines count=7"]


def test_it_is_told_so_when_they_are_taken_again(log: Log) -> None:
    sink = Lines()
    sink.is_open = False
    access = AccessLog(sink, log=log)
    access.write(make_entry(VARIABLES))
    assert heard(log) == []
    sink.is_open = True
    access.write(make_entry(VARIABLES))
    assert heard(log) == ["warning dropped access lines count=1"]


def test_it_is_told_now_and_then_and_at_the_end(log: Log) -> None:
    """A reader that is slow, but reads, does not make the log as long."""
    sink = Lines()
    access = AccessLog(sink, log=log)
    for _ in range(50):
        sink.dropped += 1
        access.write(make_entry(VARIABLES))
    assert len(heard(log)) < 3
    for _ in range(2):
        access.tell_drops()
    assert sum(int(line.partition("=")[2]) for line in heard(log)) == 50
