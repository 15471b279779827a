"""Settings of processors and limits: what they accept, refuse, and mean."""

import re
import resource

import pytest

from prefork.settings.resources import CPUS, LIMITS, RLIMITS, expand_cpus, read_limit


@pytest.mark.parametrize(
    ("text", "cpus"),
    [
        ("0", [0]),
        ("0-3", [0, 1, 2, 3]),
        ("0-1, 6", [0, 1, 6]),
        ("3,1", [3, 1]),  # worker 0 is to run on 3
        ("0-2,1-3", [0, 1, 2, 3]),
    ],
)
def test_a_list_of_processors_keeps_its_order(text: str, cpus: list[int]) -> None:
    assert expand_cpus(text) == cpus
    assert CPUS.parse(text) == text


@pytest.mark.parametrize("text", ["", "auto"])
def test_it_may_be_a_word_or_nothing(text: str) -> None:
    assert CPUS.parse(text) == text


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("all", "'all' is neither auto nor a list such as 0-3,6"),
        ("0,", "'0,' is neither auto nor a list such as 0-3,6"),
        ("-1", "'-1' is neither auto nor a list such as 0-3,6"),
        ("3-1", "3-1 are no processors"),
        ("0-99999999999", "0-99999999999 are no processors"),
        (2, "2 is not text in quotes"),
    ],
)
def test_other_processors_are_refused(value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        CPUS.parse(value)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("nofile=4096", ("nofile", 4096)),
        ("as=2G", ("as", 2 << 30)),
        ("core=0", ("core", 0)),
        ("stack=unlimited", ("stack", None)),
    ],
)
def test_a_limit_is_a_name_and_a_size(text: str, limit: tuple) -> None:
    assert read_limit(text) == limit


@pytest.mark.parametrize(
    ("value", "limits"),
    [
        ("nofile=4096, core=0", ("nofile=4096", "core=0")),
        (["nofile=4096", "core=0"], ("nofile=4096", "core=0")),
        ({"nofile": 4096, "as": "2G"}, ("nofile=4096", "as=2G")),
        ("", ()),
    ],
)
def test_limits_come_as_text_list_or_table(value: object, limits: tuple) -> None:
    assert RLIMITS.parse(value) == limits
    assert RLIMITS.parse(RLIMITS.format(limits)) == limits


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        ("nofile", "'nofile' is not NAME=VALUE"),
        ("files=9", "'files' is none of as, core,"),
        ("nofile=many", "'many' is not a size"),
        ("nofile=-1", "'-1' is not a size"),
        ("nofile=1:2", "'1:2' is not a size"),
    ],
)
def test_other_limits_are_refused(value: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(complaint)):
        RLIMITS.parse(value)


@pytest.mark.parametrize("name", LIMITS)
def test_python_knows_every_limit(name: str) -> None:
    assert hasattr(resource, f"RLIMIT_{name.upper()}")
