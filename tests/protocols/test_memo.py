"""The bounded memory: computes once, forgets in time, remembers no error."""

import pytest

from prefork.protocols.memo import LONGEST_KEY, Memo


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
