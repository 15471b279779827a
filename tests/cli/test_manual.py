"""The man pages: what the generator makes, with nothing left out."""

import re
import shutil
import signal
import subprocess
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest

from prefork.cli.control import COMMANDS, OPERATING
from prefork.cli.manual import MORE, fill, main
from prefork.errors import EXIT_MEANINGS
from prefork.master.master import ON_SIGNAL
from prefork.settings.gateways import GATEWAYS
from prefork.settings.registry import SETTINGS, Setting, settings_of

MAN = Path(__file__).parents[2] / "man"
COMMAND = MAN / "prefork-wsgi.1"
FILE = MAN / "prefork.toml.5"
CONTROL = MAN / "prefork.1"
SERVERS = {name: MAN / f"{known.page}.1" for name, known in GATEWAYS.items()}

every_page = pytest.mark.parametrize(
    "page", [*SERVERS.values(), FILE, CONTROL], ids=lambda page: page.name
)
every_setting = pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)


@every_page
def test_a_page_is_what_the_generator_makes(page: Path) -> None:
    text = page.read_text()
    assert fill(text) == text, "run: python -m prefork.cli.manual"


def test_the_command_fills_the_pages_it_is_given(tmp_path: Path) -> None:
    page = tmp_path / "page.1"
    page.write_text('.\\" generated: statuses\nold\n.\\" end\nkept\n')
    assert main([str(page)]) == 0
    assert "old" not in page.read_text()
    assert page.read_text().endswith('.El\n.\\" end\nkept\n')


@pytest.mark.parametrize("gateway", GATEWAYS)
def test_every_flag_is_in_the_page_of_its_commands(gateway: str) -> None:
    text = SERVERS[gateway].read_text()
    for setting in settings_of(gateway):
        for flag in setting.flags:
            assert re.search(rf"^\.It.* Fl {flag[1:]}( |$)", text, re.MULTILINE)
        assert setting.metavar in text


@every_setting
def test_every_key_and_variable_is_in_the_page_of_the_file(setting: Setting) -> None:
    lines = FILE.read_text().splitlines()
    assert f".It Ic {setting.name} No = Ar {setting.kind.name}" in lines
    assert {f".Ev {setting.variable}", f".Ev {setting.variable} ."} & set(lines)


@pytest.mark.parametrize("status", EXIT_MEANINGS)
def test_every_exit_status_is_in_the_page_of_the_command(status: int) -> None:
    assert f".It {status}" in COMMAND.read_text().splitlines()


def test_the_signals_in_the_page_of_the_command_are_those_of_the_master() -> None:
    items = re.findall(r"^\.It Dv (.*)$", COMMAND.read_text(), re.MULTILINE)
    names = {signal.Signals(number).name for number in ON_SIGNAL}
    assert set(" , ".join(items).split(" , ")) == names


@pytest.mark.parametrize("name", COMMANDS)
def test_every_subcommand_is_in_the_page_of_the_control_program(name: str) -> None:
    assert f".It Cm {name}" in CONTROL.read_text().splitlines()


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "exec"])
def test_every_flag_of_a_subcommand_is_in_that_page(name: str) -> None:
    with redirect_stdout(StringIO()) as said, suppress(SystemExit):
        import_module(COMMANDS[name][0]).main(["--help"])
    flags = re.findall(r"(?m)^  (?:-.*, )?--([a-z-]+)", said.getvalue())
    page = CONTROL.read_text()
    assert [flag for flag in flags if f"Fl -{flag}" not in page] == ["help"]


def test_the_verbs_of_the_control_socket_are_in_that_page() -> None:
    asked = [name for name in OPERATING if name not in ("list", "top")]
    assert (
        f".Ic {' , '.join(asked[:-1])}\nand\n.Ic {asked[-1]} .\n" in CONTROL.read_text()
    )


def test_only_settings_have_more_to_be_said() -> None:
    assert set(MORE) <= set(SETTINGS)


@every_page
@pytest.mark.process
@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say(page: Path) -> None:
    lint = ["mandoc", "-Tlint", page]
    said = subprocess.run(lint, capture_output=True, text=True, check=False).stdout
    # Each page refers to the other, which may not be installed.
    lines = [line for line in said.splitlines() if "manual not found" not in line]
    assert not lines
