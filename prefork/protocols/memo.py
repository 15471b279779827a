"""A bounded memory of answers, for texts that peers repeat."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

LONGEST_KEY = 256  # characters; a longer one is not worth remembering


class Memo(dict[str, str]):
    """What `compute` says of a key, remembered for `size` keys.

    A dict, because a hit costs what a dict costs: 20 ns, where functools'
    lru_cache takes 60.  A full one is emptied: a peer that invents keys costs the
    others one computation each, and no memory.  What `compute` raises passes.
    """

    __slots__ = ("_compute", "_size")

    def __init__(self, compute: Callable[[str], str], *, size: int = 1024) -> None:
        self._compute = compute
        self._size = size

    def __missing__(self, key: str) -> str:
        answer = self._compute(key)
        if len(self) >= self._size:
            self.clear()
        if len(key) <= LONGEST_KEY:
            self[key] = answer
        return answer


MOST_PIECES = 256
LONGEST_PIECE = 2048  # bytes of one that is remembered


class BytesMemo(dict[bytes, T], ABC):
    """What compute() makes of a piece of a message, for pieces that come again.

    At most MOST_PIECES * LONGEST_PIECE bytes, twice that with what was made of them.
    """

    __slots__ = ()

    @abstractmethod
    def compute(self, key: bytes) -> T:
        """What is to be remembered; what it raises passes."""

    def __missing__(self, key: bytes) -> T:
        answer = self.compute(key)
        if len(key) <= LONGEST_PIECE:
            if len(self) >= MOST_PIECES:
                self.clear()
            self[key] = answer
        return answer
