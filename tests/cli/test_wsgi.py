"""`prefork-wsgi` until it serves; reading its settings for a reload."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork import __version__
from prefork.cli import resolve, wsgi
from prefork.settings import Settings
from prefork.settings.registry import from_json
from prefork.settings.scale import Scale
from prefork.system.signals import ENDING


@pytest.fixture(autouse=True)
def _empty_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PWD", os.fspath(tmp_path))  # as the master leaves it


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """main() takes those that end a program."""
    before = {number: signal.getsignal(number) for number in ENDING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_no_application_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert wsgi.main(["-w", "4"]) == 2
    usage, error, _ = capsys.readouterr().err.splitlines()
    assert usage == "usage: prefork-wsgi [OPTION]... MODULE:CALLABLE"
    assert error.startswith("prefork-wsgi: error: no application: ")


def test_wrong_settings_exit_78_with_a_line_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert wsgi.main(["-w", "many", "-t", "soon", "app:wsgi"]) == 78
    assert capsys.readouterr().err == (
        "prefork-wsgi: --workers: 'many' is not a whole number\n"
        "prefork-wsgi: --timeout: 'soon' is not a number of seconds\n"
    )


def test_a_reload_reads_what_the_same_command_line_means_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prefork.toml").write_text("workers = 5")
    assert resolve.main(["wsgi", "app:wsgi", "-t", "9"]) == 0
    printed = capsys.readouterr().out
    assert from_json(printed) == Settings(
        app="app:wsgi", workers=Scale(5, 5), timeout=9.0
    )


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["-w", "many", "a:b"], "--workers: 'many' is not a whole number\n"),
        ([], "app: it is not named any more\n"),
    ],
)
def test_a_reload_with_wrong_settings_exits_78(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert resolve.main(["wsgi", *argv]) == 78
    assert capsys.readouterr() == ("", message)


@pytest.mark.process
@pytest.mark.parametrize(
    ("argv", "status", "output"),
    [
        ("prefork.cli.wsgi --help", 0, "usage: prefork-wsgi [OPTION]..."),
        ("prefork.cli.wsgi --version", 0, f"prefork {__version__}\n"),
        ("prefork.cli.wsgi", 2, "usage: prefork-wsgi [OPTION]..."),
        ("prefork.cli.wsgi --nope a:b", 2, "usage: prefork-wsgi [OPTION]..."),
        ("prefork.cli.wsgi -w x a:b", 78, "prefork-wsgi: --workers: "),
        ("prefork.cli.resolve wsgi a:b", 0, '{"app": "a:b", '),
        ("prefork.cli.resolve wsgi -w x a:b", 78, "--workers: "),
        ("prefork.cli.control --version", 0, f"prefork {__version__}\n"),
        ("prefork.cli.control check nothing:here", 70, "cannot load nothing:here"),
    ],
)
def test_as_a_process(argv: str, status: int, output: str) -> None:
    root = str(Path(wsgi.__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-m", *argv.split()],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == status
    assert (ended.stderr or ended.stdout).startswith(output)
