"""What was looked at, kept in a file and told again."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from prefork.cli.recording import Recorder, Recording, create
from prefork.cli.transcripts import Transcripts
from prefork.errors import CommandError
from prefork.monitor.transcript import Page
from prefork.protocols.watching.events import Side


class Memory:
    """An observer that remembers what it is told, word for word."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    def opened(self, at: float, number: int, peer: str) -> None:
        self.told.append(("opened", at, number, peer))

    def said(self, at: float, number: int, side: Side, data: bytes) -> None:
        self.told.append(("said", at, number, side, data))

    def closed(self, at: float, number: int, reason: str) -> None:
        self.told.append(("closed", at, number, reason))

    def waited(self, at: float) -> None:
        pass


def test_what_was_recorded_is_told_again(tmp_path: Path) -> None:
    path, memory, again = str(tmp_path / "file"), Memory(), Memory()
    with create(path, "unix:/run/app.sock", "fastcgi", 1000.5) as file:
        recorder = Recorder(file, memory)
        recorder.opened(0.1234564999, 1, "192.0.2.1:5")  # in microseconds it is less
        recorder.said(0.2345675001, 1, Side.CLIENT, bytes(range(256)))
        recorder.waited(0.3)
        recorder.said(1 / 3, 1, Side.SERVER, b"")
        recorder.closed(0.5, 1, "reset by the client")
    recording = Recording(path)
    assert (recording.protocol, recording.began) == ("fastcgi", 1000.5)
    assert recording.replay(again) == 0.5
    assert again.told == memory.told
    assert len(again.told) == 4


def test_nobody_else_can_read_it(tmp_path: Path) -> None:
    path = tmp_path / "file"
    old = os.umask(0)
    try:
        with create(str(path), "", "http", 0.0):
            pass
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    "text",
    [
        *("", "hello\n", "h\xe9\n", "[]\n"),
        *('{"protocol": "http"}\n', '{"began": "x"}\n'),
        '{"protocol": "http", "began": 1e300}\n',
    ],
)
def test_another_file_is_not_taken_for_one(tmp_path: Path, text: str) -> None:
    (tmp_path / "file").write_text(text)
    with pytest.raises(CommandError, match="is nothing that --save has written"):
        Recording(str(tmp_path / "file"))


def test_a_file_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"cannot read .*: No such file"):
        Recording(str(tmp_path / "none"))
    with (
        pytest.raises(CommandError, match=r"cannot write .*: Is a directory"),
        create(str(tmp_path), "", "http", 0.0),
    ):
        pass


@pytest.mark.parametrize(
    "line",
    [
        "half a li",
        '{"at": 1}',
        '{"at": 1, "connection": 1, "side": "both", "data": ""}',
        '{"at": 1, "connection": 1, "side": "client", "data": "?"}',
    ],
)
def test_where_it_is_broken_is_said(tmp_path: Path, line: str) -> None:
    path = tmp_path / "file"
    head = '{"protocol": "http", "began": 1}\n'
    path.write_text(head + '{"at": 0, "connection": 1, "peer": "x"}\n' + line)
    memory = Memory()
    with pytest.raises(CommandError, match="line 3: broken"):
        Recording(str(path)).replay(memory)
    assert memory.told == [("opened", 0.0, 1, "x")]


def test_a_file_cannot_command_the_terminal(tmp_path: Path) -> None:
    path, memory = tmp_path / "file", Memory()
    path.write_text(
        '{"protocol": "http", "began": 1}\n'
        '{"at": 1, "connection": 1, "peer": "\\u001b[2J"}\n'
        '{"at": 1, "connection": 1, "closed": "\\u001b[2J"}\n'
    )
    Recording(str(path)).replay(memory)
    assert not any("\x1b" in said for *_, said in memory.told)
    assert len(memory.told) == 2


def test_a_moment_that_cannot_be_is_broken_too(tmp_path: Path) -> None:
    (tmp_path / "file").write_text(
        '{"protocol": "http", "began": 1}\n'
        '{"at": 1e300, "connection": 1, "peer": "x"}\n'
    )
    transcripts = Transcripts(
        "http", Page(lambda text: None), began=1, with_bytes=False
    )
    with pytest.raises(CommandError, match="line 2: broken"):
        Recording(str(tmp_path / "file")).replay(transcripts)
