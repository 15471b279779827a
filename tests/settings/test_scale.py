"""prefork.settings.scale: N, or MIN:MAX."""

import re

import pytest

from prefork.settings import Settings
from prefork.settings.registry import from_json, to_json
from prefork.settings.scale import SCALE, Scale


@pytest.mark.parametrize(
    ("value", "scale"),
    [
        ("4", Scale(4, 4)),
        (4, Scale(4, 4)),
        ("1:1", Scale(1, 1)),
        ("2:8", Scale(2, 8)),
        ("0:8", Scale(0, 8)),
        ("1:1024", Scale(1, 1024)),
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
        ("1025", "1025 is more than 1024"),
        ("2:1025", "1025 is more than 1024"),
        ("8:2", "'8:2' has a least that is more than its most"),
        ("0:0", "0 is less than 1"),
        ("-1:4", "-1 is less than 0"),
        ("2:", "'' is not a whole number"),
        (":8", "'' is not a whole number"),
        ("2:4:8", "'4:8' is not a whole number"),
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


@pytest.mark.parametrize(("workers", "held"), [(1, 2), (2, 2), (5, 5), (9, 8)])
def test_holds_a_number_within_it(workers: int, held: int) -> None:
    assert Scale(2, 8).hold(workers) == held
