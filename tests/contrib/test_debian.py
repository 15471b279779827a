"""contrib/debian: prefork-fcgi takes the place of spawn-fcgi, and gives it back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
DIVERT = REPOSITORY / "contrib" / "debian" / "divert"

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("dpkg-divert"), reason="no dpkg-divert here"),
]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root directory with a spawn-fcgi in it, and with the diary of dpkg."""
    root = tmp_path / "root"
    for name in "usr/bin", "var/lib/dpkg/info", "var/lib/dpkg/updates":
        (root / name).mkdir(parents=True)
    for name in "status", "diversions":
        (root / "var/lib/dpkg" / name).write_text("")
    (root / "usr/bin/spawn-fcgi").write_bytes(b"\x7fELF")
    return root


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A Python that has prefork, also where it is called with -I."""
    environment = tmp_path / "venv"
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", environment], check=True
    )
    (packages,) = environment.glob("lib/python3*/site-packages")
    (packages / "prefork.pth").write_text(f"{REPOSITORY}\n")
    return str(environment / "bin" / "python3")


def divert(root: Path, *arguments: str) -> int:
    environment = os.environ | {"ROOT": str(root)}
    return subprocess.run([DIVERT, *arguments], env=environment, check=False).returncode


def test_the_name_is_taken_and_given_back(root: Path, python: str) -> None:
    name = root / "usr/bin/spawn-fcgi"
    assert divert(root, "install", python) == 0
    said = subprocess.run([name, "-v"], capture_output=True, text=True, check=True)
    assert said.stdout.startswith("prefork-fcgi v")
    assert (root / "usr/bin/spawn-fcgi.distrib").read_bytes() == b"\x7fELF"
    assert divert(root, "remove") == 0
    assert name.read_bytes() == b"\x7fELF"
    assert os.listdir(root / "usr/bin") == ["spawn-fcgi"]


def test_it_can_be_done_twice(root: Path, python: str) -> None:
    assert [divert(root, "install", python) for _ in range(2)] == [0, 0]
    assert [divert(root, "remove") for _ in range(2)] == [0, 0]
    assert (root / "usr/bin/spawn-fcgi").read_bytes() == b"\x7fELF"


def test_a_python_without_prefork_changes_nothing(root: Path) -> None:
    assert divert(root, "install", "/bin/false") != 0
    assert (root / "usr/bin/spawn-fcgi").read_bytes() == b"\x7fELF"


def test_used_wrongly_it_says_how(root: Path) -> None:
    assert divert(root) == divert(root, "install") == 2
