"""contrib/systemd: systemd understands every line of the units, and so do we."""

import shutil
import subprocess
from pathlib import Path

import pytest

from prefork.config import load
from prefork.errors import EXIT_CONFIG, EXIT_CUT, EXIT_USAGE
from prefork.settings import Settings
from prefork.settings.gateways import EXEC, WSGI

UNITS = Path(__file__).parents[2] / "contrib" / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
MOST_EXPOSED = 15  # tenths: systemd-analyze security calls up to 2.0 "OK"
ANALYZE = shutil.which("systemd-analyze")

needs_analyze = pytest.mark.skipif(not ANALYZE, reason="systemd-analyze is missing")
each_service = pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)


def directive(unit: Path, name: str) -> str:
    lines = unit.read_text().splitlines()
    (value,) = [line.partition("=")[2] for line in lines if line.startswith(f"{name}=")]
    return value


def analyze(*arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [str(ANALYZE), *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stderr


@needs_analyze
@pytest.mark.process
def test_systemd_has_nothing_to_say(tmp_path: Path) -> None:
    """Not of a directive, and not of a value; the programs are elsewhere."""
    for unit in (*SERVICES, *UNITS.glob("*.socket")):
        lines = unit.read_text().splitlines(keepends=True)
        there = [_with_a_program_that_exists(line) for line in lines]
        (tmp_path / unit.name.replace("@", "@i")).write_text("".join(there))
    verify = ["verify", "--man=no", "--recursive-errors=no"]
    assert analyze(*verify, *tmp_path.iterdir()) == (0, "")


def _with_a_program_that_exists(line: str) -> str:
    name, equals, value = line.partition("=")
    program = value.split(" ")[0]
    is_ours = name.startswith("Exec") and program
    return line.replace(program, "/bin/true", 1) if is_ours and equals else line


@needs_analyze
@each_service
@pytest.mark.process
def test_is_hardly_exposed(unit: Path) -> None:
    threshold = f"--threshold={MOST_EXPOSED}"
    assert analyze("security", "--offline=true", threshold, unit)[0] == 0


@each_service
def test_the_command_of_a_unit_is_understood(unit: Path, tmp_path: Path) -> None:
    file = tmp_path / "file.toml"
    file.write_text("workers = 4\n")
    command = directive(unit, "ExecStart").replace("/etc/prefork/%i.toml", str(file))
    program, *arguments = command.split()
    gateway = WSGI if program.endswith("wsgi") else EXEC
    arguments = arguments if gateway == WSGI else arguments[1:]
    settings = load(arguments, {}, prog="prefork", gateway=gateway).settings
    assert settings.app or unit.name == "prefork@.service"


@each_service
def test_systemd_waits_longer_than_prefork_for_the_last_request(unit: Path) -> None:
    assert int(directive(unit, "TimeoutStopSec")) > Settings().graceful_timeout


@each_service
def test_systemd_knows_what_the_exit_statuses_mean(unit: Path) -> None:
    assert directive(unit, "SuccessExitStatus") == str(EXIT_CUT)
    prevented = directive(unit, "RestartPreventExitStatus")
    assert prevented == f"{EXIT_USAGE} {EXIT_CONFIG}"


@each_service
def test_the_services_are_hardened_alike(unit: Path) -> None:
    """What is changed in one has to be changed in all."""
    text = unit.read_text()
    first = (UNITS / "prefork.service").read_text()
    for part in ("# The signal is for", "# What few applications"):
        begin = first.index(part)
        block = first[begin : first.index("\n\n", begin)]
        assert block in text


def test_an_instance_of_any_name_has_a_directory_for_itself() -> None:
    """It is removed when the service stops that it belongs to."""
    alone, *instances = [
        directive(UNITS / name, "RuntimeDirectory")
        for name in ("prefork.service", "prefork@.service", "prefork-fcgi@.service")
    ]
    assert {each.partition("%i")[0] for each in instances} == {"prefork/"}
    assert "/" not in alone
