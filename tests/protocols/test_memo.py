"""The bounded memory: computes once, forgets in time, remembers no error."""

import pytest

from prefork.protocols.memo import (
    LONGEST_KEY,
    LONGEST_PIECE,
    MOST_PIECES,
    BytesMemo,
    Memo,
)


def test_computes_once() -> None:
    asked: list[str] = []

    def compute(key: str) -> str:
        asked.append(key)
        return key.upper()

    memo = Memo(compute)
    assert [memo["a"], memo["a"], memo["b"]] == ["A", "A", "B"]
    assert asked == ["a", "b"]


def test_never_grows_beyond_its_size() -> None:
    memo = Memo(str.upper, size=3)
    for number in range(10):
        assert memo[f"k{number}"] == f"K{number}"
        assert len(memo) <= 3


def test_does_not_remember_what_is_too_long() -> None:
    memo = Memo(str.upper)
    assert memo["a" * (LONGEST_KEY + 1)]
    assert len(memo) == 0


def test_does_not_remember_an_error() -> None:
    memo = Memo(lambda key: str(int(key)))
    for _ in "once", "twice":
        with pytest.raises(ValueError, match="invalid"):
            memo["x"]
    assert "x" not in memo


class Lengths(BytesMemo[int]):
    def compute(self, key: bytes) -> int:
        return len(key)


def test_a_memory_of_bytes_never_grows_beyond_its_size() -> None:
    lengths = Lengths()
    for number in range(3 * MOST_PIECES):
        assert lengths[b"%d" % number] == len(b"%d" % number)
        assert len(lengths) <= MOST_PIECES


def test_a_long_piece_is_not_remembered() -> None:
    lengths = Lengths()
    assert lengths[bytes(LONGEST_PIECE + 1)] == LONGEST_PIECE + 1
    assert not lengths
