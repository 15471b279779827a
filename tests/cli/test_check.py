"""`prefork check`: what it shows, and says of a broken application."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.cli.check import main
from prefork.settings.gateways import EXEC, WSGI
from prefork.settings.registry import settings_of


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Stand in an empty directory, and afterwards forget what was imported."""
    environ, path, modules = dict(os.environ), list(sys.path), set(sys.modules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    sys.path[:] = path
    os.environ.clear()
    os.environ.update(environ)
    for name in set(sys.modules) - modules:
        if name.startswith("checked_"):
            del sys.modules[name]


def names_of(gateway: str) -> list[str]:
    return [setting.name for setting in settings_of(gateway)]


def test_a_secret_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    os.environ["PREFORK_AJP_SECRET"] = "s3cr3t"
    for flags in ([], ["--json"]):
        main([*flags, "checked_app:wsgi"])
        shown = capsys.readouterr().out
        assert "***" in shown
        assert "s3cr3t" not in shown


def test_shows_every_setting_with_its_origin_then_ok(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "checked_app.py").write_text("def wsgi(environ, start): ...\n")
    (directory / "prefork.toml").write_text("\nkeep-alive = 2\n")
    assert main(["-w", "7", "checked_app:wsgi"]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    assert last == "ok"
    assert [line.split()[0] for line in table] == names_of(WSGI)
    assert "workers                   7                   --workers" in table
    assert "keep_alive                2                   prefork.toml:2" in table
    assert 'chdir                     ""                  default' in table


def test_shows_json(directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (directory / "checked_app.py").write_text("def wsgi(environ, start): ...\n")
    assert main(["checked_app:wsgi", "--json", "-w", "7"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert list(shown) == names_of(WSGI)
    assert shown["workers"] == {"value": "7", "origin": "--workers"}


def test_shows_those_of_the_gateway_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--gateway", "exec", "--", "/bin/true"]) == 0
    *table, _ = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in table] == names_of(EXEC)
    assert "timeout" not in names_of(EXEC)


def test_imports_on_the_ground_that_a_worker_gives(directory: Path) -> None:
    (directory / "site").mkdir()
    (directory / "lib").mkdir()
    (directory / "lib" / "checked_lib.py").write_text("")
    (directory / "site" / "checked_there.py").write_text(
        "import os, checked_lib\nassert os.environ['COLOUR'] == 'red'\n"
        "def wsgi(environ, start): ...\n"
    )
    ground = ["--chdir=site", f"--pythonpath={directory}/lib", "-e", "COLOUR=red"]
    assert main([*ground, "checked_there:wsgi"]) == 0


def test_an_application_that_cannot_be_imported_exits_70(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (directory / "checked_broken.py").write_text("1 / 0\n")
    assert main(["checked_broken:wsgi"]) == 70
    printed = capsys.readouterr()
    assert "ZeroDivisionError" in printed.err
    assert "ok" not in printed.out.split()


def test_a_wrong_setting_exits_78(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["-w", "many"]) == 78
    message = "prefork check: --workers: 'many' is not a whole number\n"
    assert capsys.readouterr() == ("", message)


def test_an_owner_that_nobody_knows_exits_78(
    directory: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--socket-owner", "nobody-knows-this", "app:wsgi"]) == 78
    assert "nobody-knows-this" in capsys.readouterr().err


def test_no_application_exits_2_but_shows_the_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main([]) == 2
    printed = capsys.readouterr()
    assert len(printed.out.splitlines()) == len(names_of(WSGI))
    assert "prefork check: error: no application" in printed.err
