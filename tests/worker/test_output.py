"""prefork.worker.output: what comes out of a pipe, in lines."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.worker.output import LONGEST_LINE, Output


class Pipe:
    """A pipe, its Output, and the lines that were said."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.lines: list[str] = []
        self.output = Output(self.reading, self.lines.append)

    def write(self, data: bytes) -> None:
        os.write(self.writing, data)

    def close(self) -> None:
        os.close(self.reading)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def test_a_line_is_said_when_it_is_whole(pipe: Pipe) -> None:
    pipe.write(b"one\ntw")
    assert pipe.output.read()
    assert pipe.lines == ["one"]
    pipe.write(b"o\n")
    assert pipe.output.read()
    assert pipe.lines == ["one", "two"]
    os.close(pipe.writing)


def test_an_empty_pipe_is_not_the_end_of_it(pipe: Pipe) -> None:
    assert pipe.output.read()
    os.close(pipe.writing)
    assert not pipe.output.read()


def test_the_last_line_needs_no_end(pipe: Pipe) -> None:
    pipe.write(b"one\nlast")
    os.close(pipe.writing)
    pipe.output.finish()
    assert pipe.lines == ["one", "last"]


def test_finish_does_not_wait_for_whoever_still_has_the_other_end(pipe: Pipe) -> None:
    pipe.write(b"last")
    pipe.output.finish()
    assert pipe.lines == ["last"]
    os.close(pipe.writing)


def test_a_line_that_never_ends_is_said_in_pieces(pipe: Pipe) -> None:
    for _ in range(4):
        pipe.write(b"x" * LONGEST_LINE)
        pipe.output.read()
    assert [len(line) for line in pipe.lines] == [LONGEST_LINE] * 4
    os.close(pipe.writing)


def test_bytes_that_are_no_text_are_said_too(pipe: Pipe) -> None:
    pipe.write(b"\xff\r\n")
    pipe.output.read()
    assert pipe.lines == ["\\xff"]
    os.close(pipe.writing)


@given(st.lists(st.binary(min_size=1, max_size=40), max_size=20))
def test_pieces_make_no_difference(pieces: list[bytes]) -> None:
    assert lines_of(pieces) == lines_of([b"".join(pieces)])


def lines_of(pieces: list[bytes]) -> list[str]:
    pipe = Pipe()
    for piece in pieces:
        pipe.write(piece)
        pipe.output.read()
    os.close(pipe.writing)
    pipe.output.finish()
    pipe.close()
    return pipe.lines
