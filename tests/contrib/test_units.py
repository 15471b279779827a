"""contrib/systemd: systemd understands every line of the units."""

import shutil
import subprocess
from pathlib import Path

import pytest

from prefork.config import load
from prefork.settings import Settings

UNITS = Path(__file__).parents[2] / "contrib" / "systemd"
ANALYZE = shutil.which("systemd-analyze")
PROGRAM = "/srv/app/venv/bin/prefork-wsgi"


def command_of(unit: Path) -> list[str]:
    lines = (line.lstrip("# ") for line in unit.read_text().splitlines())
    (command,) = [line for line in lines if line.startswith("ExecStart=")]
    program, *arguments = command.removeprefix("ExecStart=").split()
    assert program == PROGRAM
    return arguments


@pytest.mark.process
@pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is not installed")
def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    service, sockets = tmp_path / "prefork.service", tmp_path / "prefork.socket"
    text = (UNITS / "prefork.service").read_text()
    # It wants to find the program, which is not where the example has it.
    service.write_text(text.replace(PROGRAM, "/bin/true"))
    sockets.write_text((UNITS / "prefork.socket").read_text())
    verify = ["verify", "--man=no", "--recursive-errors=no", service, sockets]
    done = subprocess.run(
        [ANALYZE, *verify], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("unit", ["prefork.service", "prefork.socket"])
def test_the_command_of_a_unit_is_understood(unit: str) -> None:
    settings = load(command_of(UNITS / unit), {}, prog="prefork-wsgi").settings
    assert settings.app == "app:wsgi"


def test_systemd_waits_longer_than_prefork_for_the_last_request() -> None:
    lines = (UNITS / "prefork.service").read_text().splitlines()
    (limit,) = [line for line in lines if line.startswith("TimeoutStopSec=")]
    assert int(limit.partition("=")[2]) > Settings().graceful_timeout
