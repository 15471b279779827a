"""A scale: the number of workers, or the least and the most of them."""

import re
from dataclasses import dataclass

from prefork.settings.kinds import Kind, whole

MOST_WORKERS = 512  # the scoreboard has room for twice as many, which a reload needs
STEP = re.compile(r"[+-][0-9]{1,6}")  # so many more, or less, for who scales
_TWO_NUMBERS = re.compile(r"-?[0-9]+:-?[0-9]+")
_ONE_NUMBER = whole(1, MOST_WORKERS)
_LEAST = whole(0, MOST_WORKERS)


@dataclass(frozen=True, slots=True)
class Scale:
    """`least` and `most` workers.  Both the same: static; a least of 0: on demand."""

    least: int
    most: int

    @property
    def is_static(self) -> bool:
        return self.least == self.most

    def moved(self, step: int) -> "Scale":
        """The same with so many more workers, at least and at most."""
        return Scale(self.least + step, self.most + step)

    def nearest(self, lowest: int) -> "Scale":
        """The nearest one that there can be, of `lowest` workers or more."""
        room = Scale(lowest, MOST_WORKERS)
        return Scale(room.hold(self.least), max(1, room.hold(self.most)))

    def hold(self, workers: int) -> int:
        """The number within the scale that is next to `workers`."""
        return max(self.least, min(workers, self.most))

    def __str__(self) -> str:
        return str(self.most) if self.is_static else f"{self.least}:{self.most}"


def parse_scale(value: object) -> Scale:
    """Read "8", 8 or "2:8"; ValueError."""
    if not isinstance(value, str) or ":" not in value:
        number = _ONE_NUMBER.parse(value)
        return Scale(number, number)
    if not _TWO_NUMBERS.fullmatch(value):
        raise ValueError(f"{value!r} is neither a whole number nor MIN:MAX")
    first, _, second = value.partition(":")
    least, most = _LEAST.parse(first), _ONE_NUMBER.parse(second)
    if least > most:
        raise ValueError(f"{value!r} has a least that is more than its most")
    return Scale(least, most)


SCALE = Kind("whole number | MIN:MAX", parse_scale, str)
