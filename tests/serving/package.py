"""The package: built as for an index, and installed as from one, but offline."""

import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

ROOT = Path(__file__).parents[2]
NEEDED = ("setproctitle", "psutil")  # which stand in for what pip would download
LEFT_OUT = shutil.ignore_patterns(".*", "__pycache__", "build", "dist", "*.egg-info")


def build(target: Path) -> tuple[Path, Path]:
    """An sdist of what is here, and a wheel of what is in that."""
    source = target / "source"
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)  # a build leaves files in its tree
    shutil.copytree(ROOT / ".ci", source / ".ci")
    code = "from setuptools import build_meta; build_meta.build_sdist('..')"
    run([sys.executable, "-c", code], cwd=source)
    (sdist,) = target.glob("*.tar.gz")
    options = ["--no-build-isolation", "--no-index", "--no-deps", "--wheel-dir", target]
    run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, sdist])
    (wheel,) = target.glob("*.whl")
    return sdist, wheel


def install(wheel: Path, place: Path) -> Path:
    """Into an environment that has nothing else but what is needed; its bin/."""
    venv.create(place, symlinks=True)
    (packages,) = place.glob("lib/python3*/site-packages")
    for name in NEEDED:
        for top, there in contents(name).items():
            (packages / top).symlink_to(there)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin" / "python"]
    run([*pip, "install", "--quiet", "--no-index", wheel])
    return place / "bin"


def contents(name: str) -> dict[str, Path]:
    """What a distribution has put into site-packages, by its first names."""
    found = distribution(name)
    tops = {file.parts[0] for file in found.files or () if ".." not in file.parts}
    return {top: Path(str(found.locate_file(top))) for top in sorted(tops)}


def run(command: list[object], cwd: Path | None = None) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
