"""A server of programs, and the program that does as it is told."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving.keeper import Keeper

SOURCE = Path(__file__).parents[1] / "programs" / "kept.c"


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    """A server to keep() a program; it must leave nothing behind."""
    keeper = Keeper()
    yield keeper
    if keeper.log_path.exists():
        print(f"--- log ---\n{keeper.log}")
    left = keeper.clean_up()
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program of tests/programs/kept.c."""
    if not shutil.which("gcc") or not Path("/usr/include/fcgi_stdio.h").exists():
        pytest.skip("no gcc, or no libfcgi-dev")
    path = tmp_path_factory.mktemp("kept") / "kept"
    subprocess.run(["gcc", "-O1", "-o", path, SOURCE, "-lfcgi"], check=True)
    return str(path)
