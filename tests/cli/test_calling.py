"""prefork.cli.calling: what is made of an answer that is no whole one."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from prefork.cli.calling import RunningMaster, ask
from prefork.errors import CommandError


@contextmanager
def answering(place: Path, answer: bytes) -> Iterator[RunningMaster]:
    """A master that answers one question so, and hangs up."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place))
        listener.listen()

        def answer_one() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=answer_one)
        thread.start()
        try:
            yield RunningMaster(str(place), 1)
        finally:
            thread.join()


def test_an_answer_is_a_line(tmp_path: Path) -> None:
    with answering(tmp_path / "control", b'{"workers": "5"}\n') as master:
        assert ask(master, "scale", workers="5") == {"workers": "5"}


@pytest.mark.parametrize("part", [b"", b'{"workers', b'{"workers": "5"}'])
def test_one_that_breaks_off_is_told_of(tmp_path: Path, part: bytes) -> None:
    """As of a master that is killed while it answers."""
    ended = pytest.raises(CommandError, match="has ended the conversation")
    with answering(tmp_path / "control", part) as master, ended:
        ask(master, "status")
