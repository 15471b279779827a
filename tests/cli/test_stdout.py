"""What a command says is taken by stdout, or the exit status tells that it was not."""

import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server

pytestmark = pytest.mark.process

TESTS = Path(__file__).parents[1]
COMMANDS = [
    ("control", "--version"),
    ("control", "list", "--help"),
    ("control", "check", "app:wsgi"),
    ("wsgi", "--help"),
    ("cgi", "--version"),
]


def run(*argv: str, to: str) -> tuple[int, str]:
    """Exit status and stderr of a command whose stdout is redirected as in a shell."""
    program, *arguments = argv
    command = [sys.executable, "-m", f"prefork.cli.{program}", *arguments]
    done = subprocess.run(
        ["bash", "-c", f'"$@" {to}; exit ${{PIPESTATUS[0]}}', "bash", *command],
        cwd=TESTS.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{TESTS / 'programs'}"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    ("to", "reason"),
    [(">/dev/full", "no space left on device"), (">&-", "bad file descriptor")],
)
@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_what_cannot_be_written_is_one_line_and_exit_status_1(
    argv: tuple[str, ...], to: str, reason: str
) -> None:
    status, said = run(*argv, to=to)
    assert status == 1
    assert said.endswith(f": cannot write to stdout: {reason}\n")
    assert said.count("\n") == 1


@pytest.mark.parametrize("argv", COMMANDS, ids=" ".join)
def test_who_has_seen_enough_may_leave(argv: tuple[str, ...]) -> None:
    assert run(*argv, to="| true") == (0, "")


def test_a_stop_is_no_less_one_for_it(server: Server) -> None:
    server.start("-w", "1")
    status, said = run("control", "stop", "--pid", str(server.pid), to=">/dev/full")
    assert status == 1
    assert said == "prefork stop: cannot write to stdout: no space left on device\n"
    assert server.wait() == 0


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_it_has_no_characters_for_is_written_with_escapes(
    server: Server, encoding: str
) -> None:
    server.start("-w", "1", "-n", "\N{EURO SIGN}-shop")
    command = [sys.executable, "-m", "prefork.cli.control", "status"]
    done = subprocess.run(
        [*command, "--pid", str(server.pid)],
        cwd=TESTS.parent,
        env={"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": encoding},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("\\u20ac-shop: serving, ")
