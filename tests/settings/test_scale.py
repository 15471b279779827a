"""prefork.settings.scale: N, or MIN:MAX."""

import re

import pytest

from prefork.monitor.scoreboard import SLOTS
from prefork.settings import Settings
from prefork.settings.registry import from_json, to_json
from prefork.settings.scale import MOST_WORKERS, SCALE, Scale


@pytest.mark.parametrize(
    ("value", "scale"),
    [
        ("4", Scale(4, 4)),
        (4, Scale(4, 4)),
        ("1:1", Scale(1, 1)),
        ("2:8", Scale(2, 8)),
        ("0:8", Scale(0, 8)),
        ("1:512", Scale(1, 512)),
    ],
)
def test_reads_a_number_or_two(value: object, scale: Scale) -> None:
    assert SCALE.parse(value) == scale
    assert SCALE.parse(SCALE.format(scale)) == scale


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("0", "0 is less than 1"),
        (0, "0 is less than 1"),
        ("513", "513 is more than 512"),
        ("2:513", "513 is more than 512"),
        ("8:2", "'8:2' has a least that is more than its most"),
        ("0:0", "0 is less than 1"),
        ("-1:4", "-1 is less than 0"),
        ("2:", "'2:' is neither a whole number nor MIN:MAX"),
        (":8", "':8' is neither a whole number nor MIN:MAX"),
        ("2:4:8", "'2:4:8' is neither a whole number nor MIN:MAX"),
        ("many", "'many' is not a whole number"),
        (True, "True is not a whole number"),
        ([2, 8], "[2, 8] is not a whole number"),
    ],
)
def test_refuses_everything_else(value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}$"):
        SCALE.parse(value)


@pytest.mark.parametrize("scale", [Scale(4, 4), Scale(2, 8), Scale(0, 8)])
def test_survives_json(scale: Scale) -> None:
    before = Settings(workers=scale)
    assert from_json(to_json(before)) == before


def test_moves_both_ends() -> None:
    assert Scale(2, 8).moved(+1) == Scale(3, 9)
    assert Scale(2, 8).moved(-1) == Scale(1, 7)


@pytest.mark.parametrize(
    ("impossible", "lowest", "nearest"),
    [
        (Scale(-1, -1), 1, Scale(1, 1)),
        (Scale(-3, 2), 1, Scale(1, 2)),
        (Scale(-3, 2), 0, Scale(0, 2)),
        (Scale(-3, -1), 0, Scale(0, 1)),
        (Scale(510, 514), 1, Scale(510, 512)),
        (Scale(514, 514), 1, Scale(512, 512)),
    ],
)
def test_knows_the_nearest_one_that_there_can_be(
    impossible: Scale, lowest: int, nearest: Scale
) -> None:
    assert impossible.nearest(lowest) == nearest


def test_a_reload_has_room_for_as_many_again() -> None:
    """Behaviour 64."""
    assert SLOTS >= 2 * MOST_WORKERS


@pytest.mark.parametrize(("workers", "held"), [(1, 2), (2, 2), (5, 5), (9, 8)])
def test_holds_a_number_within_it(workers: int, held: int) -> None:
    assert Scale(2, 8).hold(workers) == held
