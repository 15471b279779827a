"""Both programs, and the stage that they appear on."""

import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.stage import NOBODY, Stage

ROOT = Path(__file__).parents[2]
PROBE = Path(__file__).parents[1] / "programs" / "spawned.c"
THEIRS = Path("/usr/bin/spawn-fcgi")
IS_NEW_ENOUGH = "import sys; sys.exit(sys.version_info < (3, 11))"
SCRIPT = """\
#!{python} -I
import sys
sys.path.insert(0, "{library}")
from prefork.cli.fcgi import main
sys.exit(main())
"""

Play = Callable[[dict[str, Any]], dict[str, Any]]


@pytest.fixture(scope="session")
def base() -> Iterator[Path]:
    """A directory that nobody, of all users, can get at, with room for long paths."""
    if os.getuid() != 0:
        pytest.skip("not root")
    with tempfile.TemporaryDirectory(prefix="spawn-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def stage(base: Path) -> Stage:
    if not shutil.which("ss"):
        pytest.skip("ss is not installed")
    if not shutil.which("gcc"):
        pytest.skip("gcc is not installed")
    probe = base / "probe"
    subprocess.run(["gcc", "-static", "-O1", "-o", probe, PROBE], check=True)
    return Stage(base, probe)


@pytest.fixture(scope="session")
def ours(base: Path) -> Path:
    """prefork-fcgi as an administrator would install it in place of spawn-fcgi.

    A copy, because it may be that only we can read where the tests are run from.
    """
    library = base / "library"
    for path in [*ROOT.glob("prefork/*.py"), *ROOT.glob("prefork/spawn/*.py")]:
        copy(path, library)
    copy(ROOT / "prefork/cli/__init__.py", library)
    copy(ROOT / "prefork/cli/fcgi.py", library)
    script = base / "bin" / "spawn-fcgi"
    script.parent.mkdir()
    script.write_text(SCRIPT.format(python=find_python(), library=library))
    script.chmod(0o755)
    base.chmod(0o755)
    return script


def copy(path: Path, library: Path) -> None:
    target = library / path.relative_to(ROOT)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, target)
    py_compile.compile(str(target))


def find_python() -> str:
    """An interpreter that every user may run."""
    for python in sys.executable, "/usr/bin/python3":
        command = [python, "-I", "-c", IS_NEW_ENOUGH]
        try:
            done = subprocess.run(
                command, user=NOBODY, group=NOBODY, extra_groups=[], check=False
            )
        except OSError:
            continue
        if not done.returncode:
            return python
    pytest.skip("no Python 3.11 that every user may run")


@pytest.fixture(scope="session")
def theirs() -> Path:
    if not THEIRS.exists():
        pytest.skip("spawn-fcgi is not installed")
    return THEIRS


@pytest.fixture(scope="session")
def play_ours(stage: Stage, ours: Path) -> Play:
    return remembering(stage, ours)


@pytest.fixture(scope="session")
def play_theirs(stage: Stage, theirs: Path) -> Play:
    return remembering(stage, theirs)


def remembering(stage: Stage, program: Path) -> Play:
    """Play each case once, however many tests want to know."""
    seen: dict[str, dict[str, Any]] = {}

    def play(case: dict[str, Any]) -> dict[str, Any]:
        if case["id"] not in seen:
            seen[case["id"]] = stage.play(case, program)
        return seen[case["id"]]

    return play
