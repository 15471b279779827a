"""The README's commands for a server that runs: each is run, and does it."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server, eventually

from prefork.cli.control import OPERATING

README = (Path(__file__).parents[1] / "README.md").read_text()
CHAPTER = re.search(r"(?ms)^## Operating$(.*?)^## ", README)[1]
COMMANDS = re.findall(r"(?m)^prefork (.*?) *# ", CHAPTER)
CHECK = re.search(r"(?m)^prefork (check .*)$", README)[1]
OF_NONE = ("list", "check")  # they are told of no master

pytestmark = pytest.mark.process


def run(server: Server, command: str) -> str:
    """What a command prints, of that server where it asks one."""
    words = shlex.split(command)
    choice = [] if words[0] in OF_NONE else ["--pid", str(server.pid)]
    done = subprocess.run(
        [sys.executable, "-m", "prefork.cli.control", *words, *choice],
        cwd=server.directory,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_each_command_does_what_stands_beside_it(server: Server) -> None:
    server.start("-w", "4")
    # "dump 3" first, while there is a worker 3.
    said = {each: run(server, each) for each in reversed(COMMANDS) if each != "stop"}
    assert {each.split()[0] for each in said} == set(OPERATING) - {"stop"}
    assert str(server.pid) in said["list"]
    assert "6 of 6 serve" in said["status"]
    assert "generation 2 serves" in said["upgrade"]
    assert "generation 3 serves" in said["reload"]
    eventually(lambda: len(server.workers()) == 6)  # an old one may still retire
    run(server, "stop")
    assert server.wait() == 0


def test_what_a_server_would_run_with_is_shown(server: Server) -> None:
    (server.directory / "app.py").write_text("def wsgi(environ, start_response): ...\n")
    lines = run(server, CHECK).splitlines()
    assert lines[-1] == "ok"
    assert any(re.match(r"workers +8 ", line) for line in lines)
