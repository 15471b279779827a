"""The reader: gives its steps what they ask for, however the bytes are cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.watching.reader import Exactly, Reader, Some, Steps, Through


class Told:
    """Steps that remember what they were given, and a reader of them."""

    def __init__(self, *wants: Exactly | Through | Some) -> None:
        self._wants = wants
        self.pieces: list[bytes] = []
        self.failures: list[str] = []
        self.reader = Reader(self._steps(), self.failures.append)

    def _steps(self) -> Steps:
        for want in self._wants:
            self.pieces.append((yield want))


def test_gives_as_many_bytes_as_are_wanted() -> None:
    told = Told(Exactly(2, "a"), Exactly(0, "b"), Exactly(3, "c"))
    for piece in (b"1", b"23", b"45678"):
        told.reader.feed(piece)
    assert told.pieces == [b"12", b"", b"345"]


def test_gives_everything_through_an_end() -> None:
    told = Told(Through(b"\r\n", 10, "a line"), Exactly(1, "more"))
    for piece in (b"ab\r", b"c\r", b"\nd"):
        told.reader.feed(piece)
    assert told.pieces == [b"ab\rc\r\n", b"d"]


def test_gives_what_there_is() -> None:
    told = Told(Some(2), Some(), Some())
    told.reader.feed(b"abcd")
    told.reader.end()
    assert told.pieces == [b"ab", b"cd", b""]


@pytest.mark.parametrize("size", [1, 3, 100])
def test_an_end_that_does_not_come_in_time_is_a_failure(size: int) -> None:
    told = Told(Through(b"\n", 8, "a line"))
    for _ in range(0, 100, size):
        told.reader.feed(b"x" * size)
    assert told.failures == ["a line longer than 8 bytes (before byte 0)"]


def test_the_steps_may_fail_and_nothing_is_read_any_more() -> None:
    def steps() -> Steps:
        yield Exactly(3, "a record")
        raise ProtocolError("nonsense")

    failures: list[str] = []
    reader = Reader(steps(), failures.append)
    reader.feed(b"abcdef")
    reader.feed(b"ghi")
    reader.end()
    assert failures == ["nonsense (before byte 3)"]


@pytest.mark.parametrize(
    ("fed", "failures"),
    [
        (b"", []),
        (b"ab", ["the end came in the middle of a record"]),
        (b"abcd", ["the end came before a tail"]),
        (b"abcde", ["the end came in the middle of a tail"]),
        (b"abcdefgh", []),
    ],
)
def test_an_end_is_a_failure_unless_it_may_come(
    fed: bytes, failures: list[str]
) -> None:
    def steps() -> Steps:
        while (yield Exactly(4, "a record", may_end=True)):
            yield Exactly(4, "a tail")

    found: list[str] = []
    reader = Reader(steps(), found.append)
    reader.feed(fed)
    reader.end()
    reader.end()
    assert found == failures


def test_the_steps_begin_with_the_first_bytes() -> None:
    """What one side has said may decide how the other is read."""
    known: list[str] = []

    def steps() -> Steps:
        yield Exactly(len(known), "as many")
        known.append("read")

    reader = Reader(steps(), [].append)
    known += ["a", "b"]
    reader.feed(b"xy")
    assert known == ["a", "b", "read"]


@given(st.binary(max_size=200), st.lists(st.integers(1, 50), max_size=40))
def test_any_cutting_gives_the_same(data: bytes, sizes: list[int]) -> None:
    def wants() -> list[Exactly | Through]:
        return [Through(b"\x00", 60, "a line"), Exactly(5, "a record")] * 20

    whole, cut = Told(*wants()), Told(*wants())
    whole.reader.feed(data)
    at = 0
    for size in [*sizes, 200]:
        cut.reader.feed(data[at : at + size])
        at += size
    assert cut.pieces == whole.pieces
    assert cut.failures == whole.failures
