"""A command: the program that it means, found, and its words."""

import os
import shlex
import shutil
from dataclasses import dataclass

from prefork.errors import ApplicationError


@dataclass(frozen=True, slots=True)
class Command:
    """What execve(2) wants of it."""

    file: str
    words: list[str]  # the name it was called by, then its arguments


def find_command(text: str) -> Command:
    """Read a line of words, quoted as in a shell; ApplicationError if the program is
    not there, or cannot be executed."""
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ApplicationError(f"cannot read the command {text!r}: {error}") from error
    if not words:
        raise ApplicationError("the command is empty")
    file = shutil.which(words[0])
    if file is None:
        raise ApplicationError(f"cannot run {words[0]}: {_explain(words[0])}")
    return Command(os.path.abspath(file), words)


def _explain(name: str) -> str:
    if "/" not in name:
        return "there is no such program in PATH"
    if not os.path.exists(name):
        return "there is no such file"
    return "it is no executable file"
