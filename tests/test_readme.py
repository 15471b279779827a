"""What the README says is so: its commands, tables, files and examples."""

import re
import shlex
import signal
import subprocess
from contextlib import redirect_stdout, suppress
from importlib import import_module
from io import StringIO
from pathlib import Path

import pytest
from serving import Server

from prefork.cli.control import COMMANDS
from prefork.config import load
from prefork.errors import EXIT_MEANINGS
from prefork.master.master import ON_SIGNAL
from prefork.settings.gateways import CGI, EXEC
from prefork.settings.registry import SETTINGS
from prefork.spawn.options import WORDS, parse

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def chapter(title: str) -> str:
    """What stands under a heading, up to the next one of its level."""
    level, text = re.search(rf"(?ms)^(##+) {title}$(.*)", README).groups()
    return re.split(rf"(?m)^#{{2,{len(level)}}} ", text, maxsplit=1)[0]


def blocks(language: str, text: str = README) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", text)


def calls(program: str, text: str = README) -> list[list[str]]:
    """The arguments of each call of a program: in a block, or between backticks."""
    lines = "".join(blocks("sh", text)).splitlines()
    lines += re.findall(r"`([^`\n]+)`", re.sub(r"(?ms)^```.*?^```$", "", text))
    ours = [line for line in lines if line.split()[:1] == [program]]
    return [shlex.split(line, comments=True)[1:] for line in ours]


def rows(title: str) -> list[list[str]]:
    """The cells of a chapter's table, without its head and without backticks."""
    lines = [line for line in chapter(title).splitlines() if line.startswith("|")]
    return [
        [cell.strip().strip("`") for cell in line[1:-1].split("|")]
        for line in lines[2:]
    ]


def paths(text: str = README) -> list[str]:
    return sorted(
        set(re.findall(r"(?<![\w/@])(?:prefork|tests|contrib)/[\w/.@-]*[\w/]", text))
    )


def helps() -> str:
    """What every command of `prefork` says to --help."""
    text = StringIO()
    for module, _ in COMMANDS.values():
        with redirect_stdout(text), suppress(SystemExit):
            import_module(module).main(["--help"])
    return text.getvalue()


@pytest.mark.parametrize("path", paths())
def test_every_file_that_is_named_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "title", ["The life of a request", "The life of a SIGHUP", "The life of a SIGUSR2"]
)
def test_each_step_of_a_life_is_in_its_file(title: str) -> None:
    for _, where, what in rows(title):
        path, name = where.split("` `")
        code = (ROOT / path).read_text()
        definition = rf"(?m)^ *(def|class) {name}\b|^{name}\b.* = "
        assert re.search(definition, code), f"{name} in {path}: {what}"


def test_names_in_the_folders_chapter_are_all_there_are() -> None:
    parts = {
        path.name + "/" * path.is_dir()
        for path in (ROOT / "prefork").iterdir()
        if path.name != "__init__.py" and path.suffix != ".pyc"
    }
    named = {path.removeprefix("prefork/") for path in paths(chapter("Inside"))}
    assert parts - {"__pycache__/", "py.typed"} <= named


@pytest.mark.parametrize("arguments", calls("prefork-wsgi"), ids=" ".join)
def test_every_call_of_the_server_is_understood(arguments: list[str]) -> None:
    if arguments == ["--help"] or not arguments:
        return
    assert load(arguments, {}, prog="prefork-wsgi").settings.app


@pytest.mark.parametrize("arguments", calls("prefork-fcgi"), ids=" ".join)
def test_every_call_of_the_spawner_is_understood(arguments: list[str]) -> None:
    assert not arguments or parse(arguments).command


@pytest.mark.parametrize("arguments", calls("prefork"), ids=" ".join)
def test_every_subcommand_is_one(arguments: list[str]) -> None:
    assert not arguments or arguments[0] in COMMANDS


KEPT = [words[1:] for words in calls("prefork") if words[:1] == ["exec"] != words]


@pytest.mark.parametrize("arguments", KEPT, ids=" ".join)
def test_every_call_of_what_keeps_programs_is_understood(arguments: list[str]) -> None:
    assert load(arguments, {}, prog="prefork exec", gateway=EXEC).settings.app


@pytest.mark.parametrize("arguments", calls("prefork-cgi"), ids=" ".join)
def test_every_call_of_the_server_of_programs_is_understood(
    arguments: list[str],
) -> None:
    settings = load(arguments, {}, prog="prefork-cgi", gateway=CGI).settings
    assert settings.is_complete or not arguments


@pytest.mark.parametrize("arguments", calls("make"), ids=" ".join)
def test_every_target_is_in_the_makefile(arguments: list[str]) -> None:
    targets = re.findall(r"(?m)^([a-z]+):", (ROOT / "Makefile").read_text())
    assert arguments[0] in targets


def test_every_flag_and_variable_is_a_setting() -> None:
    flags = {flag for setting in SETTINGS.values() for flag in setting.flags}
    flags |= set(re.findall(r"^ +(--[a-z-]+)", helps(), re.MULTILINE)) | WORDS
    ours = re.sub(
        r"(?m)(^|`)(curl|docker|journalctl|mypy|py-spy|system[\w-]+) .*?(`|$)",
        "",
        README,
    )
    assert set(re.findall(r"(?<![\w-])--[a-z][\w-]+", ours)) <= flags | {"--help"}
    variables = {setting.variable for setting in SETTINGS.values()}
    assert set(re.findall(r"PREFORK_\w+", README)) <= variables


def test_the_signals_are_those_that_the_master_acts_on() -> None:
    named = [name for name, _ in rows("Signals")]
    assert named == [signal.Signals(number).name for number in ON_SIGNAL]


def test_the_table_of_exit_statuses_is_complete() -> None:
    assert rows("Exit status") == [
        [str(status), meaning] for status, meaning in EXIT_MEANINGS.items()
    ]


@pytest.mark.process
def test_the_first_example_says_hello(server: Server, tmp_path: Path) -> None:
    (program,) = blocks("python")
    (tmp_path / "app.py").write_text(program)
    (arguments,) = calls("prefork-wsgi", chapter("In 30 seconds"))
    server.start(*arguments[:-1], app=arguments[-1])
    assert server.get("/") == (200, b"Hello, world!\n")
    assert server.stop() == 0


def test_no_command_is_without_a_test() -> None:
    """What is not ours is run by the tests of packaging, units and containers."""
    ours = {"prefork", "prefork-wsgi", "prefork-cgi", "prefork-fcgi", "make"}
    lines = "".join(blocks("sh")).splitlines()
    others = {line.split()[0] for line in lines} - ours
    to_install = {"python3", "pip", "apt-get", "mkdir", "cp", "install", "docker"}
    of_systemd = {"systemctl", "systemd-sysusers", "systemd-tmpfiles"}
    to_look = {"ps", "strace"}
    in_the_venv = {"/srv/app/venv/bin/pip"}
    assert others <= to_install | of_systemd | to_look | in_the_venv


def test_a_container_is_made_as_its_file_says() -> None:
    text = (ROOT / "contrib" / "container" / "Dockerfile").read_text()
    told = re.findall(r"(?m)^docker .*$", "".join(blocks("sh")))
    assert told == re.findall(r"(?m)^#   (docker .*)$", text)


@pytest.mark.process
def test_the_titles_tell_who_is_there(server: Server) -> None:
    (command,) = re.findall(r"(?m)^ps .*$", "".join(blocks("sh")))
    name = server.mark[:8]
    server.start("-w", "1", "-n", name)
    run = subprocess.run(
        ["sh", "-c", command], capture_output=True, text=True, check=True
    )
    lines = [line for line in run.stdout.splitlines() if name in line]
    roles = {line.split("prefork: ")[1].split()[0] for line in lines}
    assert roles == {"master", "template", "worker"}
