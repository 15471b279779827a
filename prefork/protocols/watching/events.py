"""What can be told of a conversation while it passes by.

Each event says which request of the connection it belongs to: 1 is the first, 0 is
the connection itself.  Text is latin-1, as it came, so it is to be escaped wherever
it is shown.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

Pairs = tuple[tuple[str, str], ...]


class Side(Enum):
    """Who speaks."""

    CLIENT = "client"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Unit:
    """What the protocol sends as one piece: a record, a packet, a chunk."""

    number: int
    name: str  # those of one name that follow each other can be counted together
    size: int  # bytes of its content
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """The head of a request is complete."""

    number: int
    line: str  # GET /path?query HTTP/1.1
    pairs: Pairs  # variables, or fields


@dataclass(frozen=True, slots=True)
class Answered:
    """The head of an answer is complete."""

    number: int
    status: int
    reason: str
    pairs: Pairs


@dataclass(frozen=True, slots=True)
class Data:
    """A piece of a body, of whoever speaks."""

    number: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Complaint:
    """Something for the front end's error log."""

    number: int
    payload: bytes


@dataclass(frozen=True, slots=True)
class Wanted:
    """The server asks for so many bytes more of the request's body."""

    number: int
    count: int


@dataclass(frozen=True, slots=True)
class End:
    """The answer has ended; `problem` says why it is none to rely on."""

    number: int
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Broken:
    """What one side says cannot be understood any further."""

    reason: str
    number: int = 0


Event = Unit | Asked | Answered | Data | Complaint | Wanted | End | Broken
Say = Callable[[Event], None]
