"""Datagrams to a syslog that may be slow, away, or another one than before."""

import os
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.monitor.syslog import SyslogSink


@pytest.fixture
def sink(tmp_path: Path) -> Iterator[SyslogSink]:
    sink = SyslogSink(str(tmp_path / "log"), clock=lambda: 1795342623.9)
    yield sink
    sink.close()


def start_daemon(path: Path) -> socket.socket:
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    daemon.bind(str(path / "log"))
    return daemon


def test_a_line_is_a_datagram_as_local_syslog_expects_it(
    tmp_path: Path, sink: SyslogSink
) -> None:
    with start_daemon(tmp_path) as daemon:
        assert sink.write(b"GET / 200\n")
        message = daemon.recv(1000).decode()
    pid = os.getpid()
    assert re.fullmatch(
        rf"<14>Nov 2\d \d\d:\d7:03 prefork\[{pid}\]: GET / 200", message
    )


def test_a_restarted_syslog_is_found_again(tmp_path: Path, sink: SyslogSink) -> None:
    assert not sink.write(b"nobody there yet\n")
    with start_daemon(tmp_path) as daemon:
        assert sink.write(b"first\n")
        assert daemon.recv(1000).endswith(b": first")
    assert not sink.write(b"nobody there\n")
    (tmp_path / "log").unlink()
    with start_daemon(tmp_path) as daemon:
        assert sink.write(b"second\n")
        assert daemon.recv(1000).endswith(b": second")
    assert sink.dropped == 2


def test_a_syslog_that_does_not_keep_up_is_not_waited_for(
    tmp_path: Path, sink: SyslogSink
) -> None:
    with start_daemon(tmp_path):
        taken = sum(sink.write(b"line\n") for _ in range(5000))
    assert sink.dropped == 5000 - taken > 0
