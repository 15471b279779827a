"""prefork.template.loader: `module:callable`, and the ground it stands on."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.errors import ApplicationError, ConfigError
from prefork.template.loader import load, prepare

APPLICATION = """
def application(environ, start_response): return [b"default"]
class made:
    def __call__(self, environ, start_response): return [b"made"]
    @staticmethod
    def inner(environ, start_response): return [b"inner"]
number = 3
def broken(): raise ValueError("made badly")
"""


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with modules in it; what is imported is forgotten."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    (tmp_path / "loaded.py").write_text(APPLICATION)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def prepare_here(
    *, chdir: str = "", pythonpath: tuple[str, ...] = (), env: tuple[str, ...] = ()
) -> None:
    prepare(chdir=chdir, pythonpath=pythonpath, env=env)


def failure_of(app: str) -> str:
    prepare_here()
    with pytest.raises(ApplicationError) as caught:
        load(app)
    return str(caught.value)


# Loading


@pytest.mark.parametrize(
    ("app", "answer"),
    [
        ("loaded:application", b"default"),
        ("loaded", b"default"),
        ("loaded:made()", b"made"),
        ("loaded:made.inner", b"inner"),
    ],
)
def test_finds_the_callable(app: str, answer: bytes) -> None:
    prepare_here()
    assert load(app)({}, None) == [answer]


def test_finds_a_module_in_a_package(directory: Path) -> None:
    package = directory / "site_of_mine"
    package.mkdir()
    (package / "wsgi.py").write_text(APPLICATION)
    prepare_here()
    assert load("site_of_mine.wsgi:application")({}, None) == [b"default"]


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("absent:application", "ModuleNotFoundError: No module named 'absent'"),
        ("loaded:absent", "AttributeError"),
        ("loaded:number", "number is a int, which cannot be called"),
        ("loaded:broken()", "ValueError: made badly"),
        (":application", "ValueError"),
        ("", "ValueError"),
    ],
)
def test_says_what_is_wrong(app: str, reason: str) -> None:
    """Behaviour 2."""
    text = failure_of(app)
    assert text.startswith(f"cannot load {app}")
    assert reason in text


@pytest.mark.parametrize("app", ["good.py", "good.py:wsgi", "./good:wsgi"])
def test_a_file_is_no_module(directory: Path, app: str) -> None:
    (directory / "good.py").write_text("def wsgi(environ, start_response): ...\n")
    with pytest.raises(ApplicationError, match=r"not its file.*--chdir"):
        load(app)


def test_shows_where_an_import_fails(directory: Path) -> None:
    """Behaviour 2: the traceback, but not our part of it."""
    (directory / "failing.py").write_text("import deeper\n")
    (directory / "deeper.py").write_text("\n\nraise RuntimeError('no database')\n")
    text = failure_of("failing")
    assert text.endswith("RuntimeError: no database")
    assert 'deeper.py", line 3' in text
    assert "loader.py" not in text
    assert "importlib" not in text


def test_shows_what_was_the_cause(directory: Path) -> None:
    (directory / "failing.py").write_text(
        "try:\n    import absent_driver\n"
        "except ImportError as error:\n    raise RuntimeError('no driver') from error\n"
    )
    text = failure_of("failing")
    assert "No module named 'absent_driver'" in text
    assert "direct cause" in text
    assert text.endswith("RuntimeError: no driver")
    assert "importlib" not in text


def test_shows_a_mistake_of_syntax(directory: Path) -> None:
    """Behaviour 22: names file and line."""
    (directory / "failing.py").write_text("ok = 1\ndef broken(:\n")
    text = failure_of("failing")
    assert 'failing.py", line 2' in text
    assert "SyntaxError" in text


def test_a_path_that_speaks_of_importlib_is_theirs(directory: Path) -> None:
    there = directory / "importlib_demo"
    there.mkdir()
    (there / "failing.py").write_text("raise RuntimeError('here')\n")
    assert 'importlib_demo/failing.py", line 1' in failure_of("importlib_demo.failing")


@pytest.mark.parametrize("leaving", ["sys.exit(3)", "exit()", "raise SystemExit"])
def test_an_import_that_exits_has_failed(directory: Path, leaving: str) -> None:
    (directory / "failing.py").write_text(f"import sys\n{leaving}\n")
    assert "SystemExit" in failure_of("failing")


# The ground


def test_changes_the_directory(directory: Path) -> None:
    (directory / "site").mkdir()
    prepare_here(chdir="site")
    assert Path.cwd() == directory / "site"
    assert sys.path[0] == str(directory / "site")


@pytest.mark.parametrize("chdir", ["absent", "loaded.py"])
def test_says_which_directory_there_is_not(chdir: str) -> None:
    with pytest.raises(ConfigError, match=f"directory '{chdir}'"):
        prepare_here(chdir=chdir)


def test_looks_for_modules_in_order(directory: Path) -> None:
    for name in ("one", "two"):
        (directory / name).mkdir()
    prepare_here(pythonpath=("one", "two"))
    assert sys.path[:3] == [str(directory / name) for name in ("one", "two", "")]


def test_a_directory_is_looked_through_once(directory: Path) -> None:
    for _ in range(2):
        prepare_here(pythonpath=(str(directory),))
    assert sys.path.count(str(directory)) == 1


def test_sets_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_A", "before")
    monkeypatch.setenv("TEST_B", "before")
    prepare_here(env=("TEST_A=a=b", "TEST_B="))
    assert os.environ["TEST_A"] == "a=b"
    assert os.environ["TEST_B"] == ""
