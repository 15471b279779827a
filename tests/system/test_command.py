"""prefork.system.command: a line of words, and the program that it means."""

import os
from pathlib import Path

import pytest

from prefork.errors import ApplicationError
from prefork.system.command import find_command


def test_words_are_quoted_as_in_a_shell() -> None:
    command = find_command("sh -c 'two words'")
    assert os.path.basename(command.file) == "sh"
    assert command.words == ["sh", "-c", "two words"]


def test_a_path_is_taken_as_it_is(tmp_path: Path) -> None:
    program = tmp_path / "it"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    command = find_command(f"{program} -x")
    assert (command.file, command.words) == (str(program), [str(program), "-x"])


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no-such-program", "there is no such program in PATH"),
        ("/no/such/file", "there is no such file"),
        ("/etc/passwd", "it is no executable file"),
        ("/etc", "it is no executable file"),
        ("'", "cannot read the command"),
        ("", "the command is empty"),
    ],
)
def test_what_cannot_be_run_is_told_with_the_reason(line: str, reason: str) -> None:
    with pytest.raises(ApplicationError, match=reason):
        find_command(line)
