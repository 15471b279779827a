"""`prefork upgrade`: another program, then a reload; or neither, and why."""

import os
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import Load, Server, Site, eventually

from prefork.master.handover import VERSION

pytestmark = [pytest.mark.process, pytest.mark.slow]

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "prefork"
HESITATES_AND_FAILS = """
import os, sys, time
open({begun!r}, "w").close()
while not os.path.exists({proceed!r}):
    time.sleep(0.05)
sys.exit("broken")
"""


def prefork(server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the operator's command on this server."""
    command = [sys.executable, "-m", "prefork.cli.control", *arguments]
    return subprocess.run(
        [*command, "--pid", str(server.pid)],
        cwd=TESTS.parent,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the package, for the server only."""
    copy = tmp_path / "program" / "prefork"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def env(package: Path) -> dict[str, str]:
    path = f"{package.parent}:{TESTS / 'programs'}"
    return {"PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_waits_until_workers_run_the_new_program(server: Server, package: Path) -> None:
    server.start("-w", "2", env=env(package))
    before = server.workers()
    edit(package / "__init__.py", '__version__ = "', '__version__ = "99.')
    with Load(server, clients=2) as load:
        run = prefork(server, "upgrade")
    assert load.failures == []
    assert (run.returncode, run.stderr) == (0, "")
    assert "the master is version 99." in run.stdout
    assert re.search(r"generation 2 serves, after .*\n$", run.stdout)
    eventually(lambda: len(server.workers()) == len(server.workers(2)) == 2)
    assert not {*before} & {*server.workers()}


def test_says_why_the_old_program_goes_on(server: Server, package: Path) -> None:
    """Behaviour 35: with exit status 70, and no reload."""
    server.start("-w", "1", env=env(package))
    before = server.workers()
    edit(package / "cli/adopt.py", "import os\n", "import os\nraise OSError('half')\n")
    run = prefork(server, "upgrade")
    assert run.returncode == 70
    assert "OSError: half" in run.stderr
    assert "the old program goes on serving" in run.stderr
    assert server.workers() == before
    assert "reloading" not in server.log


def test_another_version_of_the_state_is_status_78(
    server: Server, package: Path
) -> None:
    """Behaviour 38."""
    server.start("-w", "1", env=env(package))
    another = f"VERSION = {VERSION + 1}\n"
    edit(package / "master/handover.py", f"VERSION = {VERSION}\n", another)
    run = prefork(server, "upgrade")
    assert run.returncode == 78
    assert f"state of version {VERSION}," in run.stderr


def test_a_reload_before_the_upgrade_says_that_it_is_missing(
    server: Server, package: Path
) -> None:
    """The files on disk, which templates start from, are not the master's any more."""
    server.start("-w", "1", env=env(package))
    before = server.workers()
    another = f"VERSION = {VERSION + 1}\n"
    edit(package / "master/handover.py", f"VERSION = {VERSION}\n", another)
    run = prefork(server, "reload")
    assert run.returncode == 78
    assert "prefork was replaced on disk" in run.stderr
    assert f"is of version {VERSION + 1}" in run.stderr
    os.kill(server.template(), signal.SIGKILL)
    server.wait_log(r"lost template .*\n.*replaced on disk")
    assert server.workers() == before
    assert server.get()[0] == 200


def test_a_reload_that_fails_afterwards_is_told(server: Server) -> None:
    site = Site(server.directory)
    server.start("-w", "1", app=site.app, env=site.env)
    site.publish("2", "raise RuntimeError('broken')")
    run = prefork(server, "upgrade")
    assert run.returncode == 70
    assert "RuntimeError: broken" in run.stderr
    assert "the old code goes on serving" in run.stderr
    assert "upgraded master" in server.log
    assert server.get("/version") == (200, b"1")


def test_does_not_wait_if_it_need_not(server: Server) -> None:
    server.start("-w", "1")
    run = prefork(server, "upgrade", "--no-wait")
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    server.wait_log("phase=commit", within=20)
    assert "upgraded master" in server.log


def test_who_waits_for_a_reload_waits_for_the_upgrade_before_it(
    server: Server,
) -> None:
    server.start("-w", "1")
    assert prefork(server, "upgrade", "--no-wait").returncode == 0
    run = prefork(server, "reload")
    assert (run.returncode, run.stderr) == (0, "")
    assert "serves" in run.stdout


@pytest.mark.parametrize("is_repaired", [True, False])
def test_waits_for_its_own_upgrade_when_one_before_it_fails(
    server: Server, package: Path, is_repaired: bool
) -> None:
    """With the reload that belongs to it, and for nothing that nobody will do."""
    server.start("-w", "1", env=env(package))
    adopt = package / "cli/adopt.py"
    begun, proceed = server.directory / "begun", server.directory / "proceed"
    text = adopt.read_text()
    adopt.write_text(HESITATES_AND_FAILS.format(begun=str(begun), proceed=str(proceed)))
    server.signal(signal.SIGUSR2)
    eventually(begun.exists)
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(prefork, server, "upgrade")
        server.wait_log("received command verb=upgrade")
        if is_repaired:
            adopt.write_text(text)
        proceed.touch()
        run = waiting.result()
    assert server.log.count("upgrade failed") == (1 if is_repaired else 2)
    assert run.returncode == (0 if is_repaired else 70)
    assert ("generation 2 serves" in run.stdout) == is_repaired


@pytest.mark.parametrize("command", ["upgrade", "reload"])
def test_a_stop_in_the_middle_is_told(server: Server, command: str) -> None:
    """And nothing else: no code goes on serving."""
    site = Site(server.directory)
    server.start("-w", "1", app=site.app, env=site.env)
    site.publish("2", "import time; time.sleep(60)")
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(prefork, server, command)
        server.wait_log("reloading phase=boot", within=20)
        assert server.stop() == 0
        run = waiting.result()
    assert run.returncode == 1
    assert run.stderr == f"prefork {command}: given up\nthe server is stopping\n"
