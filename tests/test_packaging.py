"""The wheel: everything that runs, the man pages, and nothing else."""

import email
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import prefork

ROOT = Path(__file__).parents[1]


def has_setuptools() -> bool:
    try:
        return int(version("setuptools").split(".")[0]) >= 77
    except PackageNotFoundError:
        return False


pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(not has_setuptools(), reason="no setuptools 77 to build with"),
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """Built from a copy, without the network: a build leaves files in its tree."""
    source = tmp_path_factory.mktemp("source")
    for name in ("prefork", "man", "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    target = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    options = ["--no-build-isolation", "--no-index", "--wheel-dir", target, source]
    subprocess.run([*pip, *options], check=True, stdin=subprocess.DEVNULL)
    (path,) = target.iterdir()
    assert path.name == f"prefork-{prefork.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(path)


def read(wheel: zipfile.ZipFile, ending: str) -> str:
    (name,) = [name for name in wheel.namelist() if name.endswith(ending)]
    return wheel.read(name).decode()


def test_every_module_is_in_it_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("prefork/**/*.py")}
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {name for name in names if ".data/" not in name} == modules


def test_every_man_page_goes_where_man_looks(wheel: zipfile.ZipFile) -> None:
    pages = {
        f"share/man/man{page.suffix[1:]}/{page.name}" for page in ROOT.glob("man/*.*")
    }
    data = [name.partition(".data/data/")[2] for name in wheel.namelist()]
    assert set(filter(None, data)) == pages


def test_both_programs_are_installed(wheel: zipfile.ZipFile) -> None:
    scripts = read(wheel, "entry_points.txt").split("\n")
    assert "prefork-wsgi = prefork.cli.wsgi:main" in scripts
    assert "prefork = prefork.cli.control:main" in scripts
    assert "prefork-fcgi = prefork.cli.fcgi:main" in scripts


def test_the_metadata_say_what_it_needs(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_string(read(wheel, "METADATA"))
    needs = metadata.get_all("Requires-Dist")
    assert [each for each in needs if "extra" not in each] == ["setproctitle", "psutil"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_payload().startswith("# prefork")
