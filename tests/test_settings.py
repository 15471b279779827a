"""Every setting is described once, completely, and survives JSON."""

import ast
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import prefork.settings
from prefork.settings import GROUPS, Settings
from prefork.settings.gateways import GATEWAYS
from prefork.settings.registry import SETTINGS, Setting, from_json, settings_of, to_json

IMPURE = {"logging", "os", "select", "signal", "socket", "sys", "time"}

every_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        Settings().workers = 5  # type: ignore[misc]


def test_there_are_as_many_descriptions_as_fields() -> None:
    assert [*SETTINGS, "gateway", "hosts", "owner"] == [
        field.name for field in fields(Settings)
    ]


def test_every_group_begins_with_a_setting() -> None:
    assert set(GROUPS) <= set(SETTINGS)
    assert list(GROUPS.values()) == list(
        dict.fromkeys(setting.group for setting in SETTINGS.values())
    )


@every_setting
def test_the_default_is_what_its_own_text_means(setting: Setting) -> None:
    text = setting.kind.format(setting.default)
    assert setting.kind.parse(text) == setting.default


@every_setting
def test_the_long_flag_is_the_name(setting: Setting) -> None:
    if setting.flags:
        assert setting.flag == "--" + setting.name.replace("_", "-")


@every_setting
def test_has_a_value_name_unless_it_is_a_switch(setting: Setting) -> None:
    assert bool(setting.metavar) is not setting.kind.is_switch


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_no_two_settings_share_a_flag(gateway: str) -> None:
    flags = [flag for setting in settings_of(gateway) for flag in setting.flags]
    flags += ["-c", "--config", "-h", "--help", "--version"]
    assert len(flags) == len(set(flags))


def test_the_variable_is_the_name_in_capitals() -> None:
    assert SETTINGS["body_min_rate"].variable == "PREFORK_BODY_MIN_RATE"


def test_the_defaults_survive_json() -> None:
    assert from_json(to_json(Settings())) == Settings()


@settings(max_examples=50)
@given(
    st.text(),
    st.floats(0, 1e6),
    st.lists(st.text()).map(tuple),
    st.sampled_from([None, False, True]),
)
def test_any_value_survives_json(
    text: str, number: float, items: tuple[str, ...], preload: bool | None
) -> None:
    before = Settings(app=text, timeout=number, bind=items, preload=preload)
    assert from_json(to_json(before)) == before


def test_undecodable_bytes_of_a_command_line_survive_json() -> None:
    before = Settings(chdir=b"/srv/\xff".decode("utf-8", "surrogateescape"))
    assert from_json(to_json(before)) == before


def test_json_of_another_version_is_refused() -> None:
    with pytest.raises(TypeError):
        from_json('{"wrokers": 4}')


def test_the_settings_do_no_io() -> None:
    for path in Path(prefork.settings.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Import(names):
                    assert not IMPURE & {name.name for name in names}
                case ast.ImportFrom(str(module)):
                    assert module not in IMPURE
