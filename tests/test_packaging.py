"""The package: built, complete, and what it is to whoever installs it."""

import email
import shutil
import subprocess
import tarfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from serving.package import build, install, run

import prefork

ROOT = Path(__file__).parents[1]
PROGRAMS = {"prefork", "prefork-wsgi", "prefork-cgi", "prefork-fcgi"}
PAGES = {f"share/man/man{page.suffix[1:]}/{page.name}" for page in ROOT.glob("man/*.*")}


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
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The sdist, and the wheel that is made of it, without the network."""
    return build(tmp_path_factory.mktemp("build"))


@pytest.fixture(scope="module")
def wheel(built: tuple[Path, Path]) -> zipfile.ZipFile:
    assert built[1].name == f"prefork-{prefork.__version__}-py3-none-any.whl"
    return zipfile.ZipFile(built[1])


@pytest.fixture(scope="module")
def installed(
    built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The bin/ of an environment that was empty."""
    return install(built[1], tmp_path_factory.mktemp("installed"))


def read(wheel: zipfile.ZipFile, ending: str) -> str:
    (name,) = [name for name in wheel.namelist() if name.endswith(ending)]
    return wheel.read(name).decode()


def test_every_module_is_in_it_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("prefork/**/*.py")}
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert {name for name in names if ".data/" not in name} == modules


def test_every_man_page_goes_where_man_looks(wheel: zipfile.ZipFile) -> None:
    data = [name.partition(".data/data/")[2] for name in wheel.namelist()]
    assert set(filter(None, data)) == PAGES


def test_the_programs_are_named(wheel: zipfile.ZipFile) -> None:
    lines = read(wheel, "entry_points.txt").splitlines()
    assert {line.partition(" ")[0] for line in lines if "=" in line} == PROGRAMS


def test_the_metadata_say_what_it_needs(wheel: zipfile.ZipFile) -> None:
    metadata = email.message_from_string(read(wheel, "METADATA"))
    needs = metadata.get_all("Requires-Dist")
    assert [each for each in needs if "extra" not in each] == ["setproctitle", "psutil"]
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["License-Expression"] == "MIT"
    assert metadata.get_payload().startswith("# prefork")


def test_the_sdist_has_what_make_and_the_tests_need(built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    for name in ("README.md", "CHANGES.md", "LICENSE", "Makefile", ".ci/run"):
        assert name in names
    for folder in ("contrib", "man", "prefork", "tests"):
        assert files_below(folder) <= names


def files_below(folder: str) -> set[str]:
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    names = {str(path.relative_to(ROOT)) for path in found}
    return {name for name in names if "__pycache__" not in name}


def test_an_index_would_take_both(built: tuple[Path, Path]) -> None:
    check = pytest.importorskip("twine.commands.check").check
    assert check([str(path) for path in built], strict=True) is False  # nothing failed


def test_whoever_installs_it_has_the_programs_and_their_pages(installed: Path) -> None:
    for program in sorted(PROGRAMS):
        assert run([installed / program, "--help"]).lower().startswith("usage:")
    assert run([installed / "prefork", "--version"]).split()[-1] == prefork.__version__
    for page in PAGES:
        assert (installed.parent / page).is_file()


@pytest.mark.skipif(not shutil.which("man"), reason="man is not installed")
def test_man_finds_the_pages_of_what_is_in_the_path(installed: Path) -> None:
    man = ["man", "-w", "prefork-wsgi"]
    done = subprocess.run(
        man,
        env={"PATH": f"{installed}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    page = installed.parent / "share" / "man" / "man1" / "prefork-wsgi.1"
    assert Path(done.stdout.strip()) == page
