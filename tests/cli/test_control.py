"""`prefork`: finds the subcommand, or says which there are."""

from importlib import import_module

import pytest

from prefork.cli.control import COMMANDS, main


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_a_module_with_help_of_its_own(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(import_module(COMMANDS[name][0]).main)
    with pytest.raises(SystemExit) as exit:
        main([name, "--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: prefork {name} " in text
    assert max(map(len, text.splitlines())) <= 80
    _, _, examples = text.lower().partition("\nexamples")
    assert f"\n  prefork {name}" in examples.replace("&& ", "\n  ")


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(["--help"])
    assert exit.value.code == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert max(map(len, text.splitlines())) <= 80


@pytest.mark.parametrize("argv", [[], ["chekc"], ["--quux"]])
def test_anything_else_exits_2(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as exit:
        main(argv)
    assert exit.value.code == 2
    assert capsys.readouterr().err.startswith("usage: prefork ")


def test_what_is_missing_is_a_command_alone(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([])
    assert capsys.readouterr().err.endswith(" required: COMMAND\n")
