"""Bytes in any cutting, given to steps that ask for what they want next.

The steps are a generator: it yields what it wants, and is sent those bytes.

    header = yield Exactly(8, "a record")
    line = yield Through(b"\\n", 8192, "a line")
    while data := (yield Some()):  # until the end of the connection
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TypeVar

from prefork.errors import ProtocolError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exactly:
    """So many bytes."""

    count: int
    what: str
    may_end: bool = False  # the connection may end instead: no byte is sent then

    def find(self, buffer: bytearray, known: int) -> int:
        """How many bytes of the buffer it is; -1: they have not all arrived."""
        return self.count if len(buffer) >= self.count else -1


@dataclass(frozen=True, slots=True)
class Through:
    """Everything up to `end`, and `end`; ProtocolError if there is too much."""

    end: bytes
    most: int
    what: str
    may_end: bool = False

    def find(self, buffer: bytearray, known: int) -> int:
        """The same; the first `known` bytes have been looked at."""
        at = buffer.find(self.end, max(0, known - len(self.end) + 1), self.most)
        if at < 0 and len(buffer) >= self.most:
            raise ProtocolError(f"{self.what} longer than {self.most} bytes")
        return at + len(self.end) if at >= 0 else -1


@dataclass(frozen=True, slots=True)
class Some:
    """Whatever has arrived, at most so many bytes; none: the connection ended."""

    most: int = 65536
    what: str = "more"
    may_end: bool = True

    def find(self, buffer: bytearray, known: int) -> int:
        """How many bytes of the buffer it is; -1: none has arrived."""
        return min(len(buffer), self.most) or -1


@dataclass(frozen=True, slots=True)
class Arrival:
    """That something arrives, or the connection ends; nothing is taken of it."""

    what: str = "anything"
    may_end: bool = True

    def find(self, buffer: bytearray, known: int) -> int:
        """0: something has arrived; -1: nothing has."""
        return 0 if buffer else -1


Want = Exactly | Through | Some | Arrival
Reading = Generator[Want, bytes, T]
Steps = Reading[None]


class Reader:
    """Keeps what the steps cannot use yet, and no more."""

    def __init__(self, steps: Steps, fail: Callable[[str], None]) -> None:
        self._steps = steps
        self._fail = fail  # is told once, why nothing more is read
        self._buffer = bytearray()
        self._known = 0  # bytes of the buffer that have been looked at
        self._offset = 0  # of the buffer's beginning in all that came
        self._want: Want | None = None  # before the first step, and after the last
        self._is_over = False

    def feed(self, data: bytes) -> None:
        """Take what has arrived, in any cutting."""
        if self._is_over:
            return
        if self._want is None:
            self._advance(None)
        self._buffer += data
        self._read()

    def end(self) -> None:
        """Nothing will follow."""
        self.feed(b"")
        while (want := self._want) is not None:
            if self._buffer or not want.may_end:
                where = "in the middle of" if self._buffer else "before"
                self._stop(f"the end came {where} {want.what}")
            else:
                self._advance(b"")
        self._is_over = True

    def _read(self) -> None:
        while (count := self._find()) >= 0:
            piece = bytes(self._buffer[:count])
            del self._buffer[:count]
            self._known = 0
            self._offset += count
            self._advance(piece)
        self._known = len(self._buffer)

    def _find(self) -> int:
        try:
            return self._want.find(self._buffer, self._known) if self._want else -1
        except ProtocolError as error:
            self._stop(self._locate(error))
            return -1

    def _advance(self, piece: bytes | None) -> None:
        """Let the steps go on; None: let them begin."""
        steps = self._steps
        try:
            self._want = next(steps) if piece is None else steps.send(piece)
        except StopIteration:
            self._stop("")
        except ProtocolError as error:
            self._stop(self._locate(error))

    def _locate(self, error: ProtocolError) -> str:
        return f"{error.reason} (before byte {self._offset})"

    def _stop(self, reason: str) -> None:
        self._is_over = True
        self._want = None
        self._buffer.clear()
        if reason:
            self._fail(reason)
