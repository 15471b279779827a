"""What the README says of prefork-cgi is so: its commands, its options, its figures."""

import re
import shlex
from pathlib import Path

import pytest
from serving.cgi_questions import QUESTIONS

from prefork.config import load
from prefork.settings.gateways import CGI
from prefork.settings.registry import settings_of

README = (Path(__file__).parents[1] / "README.md").read_text()
CHAPTER = README.partition("\n## CGI programs\n")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"(?m)^prefork-cgi .*$", CHAPTER)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_understood(command: str) -> None:
    words = shlex.split(command)
    settings = load(words[1:], {}, prog=words[0], gateway=CGI).settings
    assert settings.is_complete


def test_there_are_commands_for_each_way_to_say_which_program() -> None:
    assert len(COMMANDS) == 3
    assert [("--wrap" in command) for command in COMMANDS] == [False, False, True]


def test_every_option_exists() -> None:
    flags = {flag for setting in settings_of(CGI) for flag in setting.flags}
    assert {*re.findall(r"`(--?[a-z][a-z-]*)", CHAPTER)} <= flags


def test_the_questions_are_counted() -> None:
    assert f"{len(QUESTIONS)} questions" in CHAPTER
