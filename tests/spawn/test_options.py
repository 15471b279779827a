"""The options of prefork-fcgi: a table of command lines."""

import pytest

from prefork.errors import ConfigError
from prefork.spawn.getopt import OptionError
from prefork.spawn.options import LETTERS, NUMBERS, SWITCHES, TEXTS, WORDS, parse

ENOUGH = ("-s", "/s", "--", "/app")


@pytest.mark.parametrize(
    ("arguments", "name", "value"),
    [
        (["-a", "::1"], "address", "::1"),
        (["-d", ""], "directory", ""),
        (["-f", "app x"], "shell", "app x"),
        (["-P", "/p"], "pid_path", "/p"),
        (["-c", "/jail"], "jail", "/jail"),
        (["-u", "0"], "user", "0"),
        (["-g", "games"], "group", "games"),
        (["-U", "-5"], "socket_user", "-5"),
        (["-G", ""], "socket_group", ""),
        (["-n"], "is_forking", False),
        (["-S"], "binds_outside", True),
        (["--strict"], "is_strict", True),
        (["-M", "0666"], "mode", 0o666),
        (["-M", "abc"], "mode", 0),
        (["-M", "0999"], "mode", 0),
        (["-M", "-1"], "mode", 0o7777),
        (["-b", "abc"], "backlog", 0),
        (["-b", "-1"], "backlog", -1),
        (["-b", "4294967297"], "backlog", 1),
        (["-F", "3x"], "forks", 3),
        (["-C", "-1"], "php_children", -1),
        (["-C", ""], "php_children", 0),
        (["-nF3"], "forks", 3),
        (["-F2", "-F3"], "forks", 3),
    ],
)
def test_understands(arguments: list[str], name: str, value: object) -> None:
    assert getattr(parse([*arguments, *ENOUGH]), name) == value


def test_what_is_not_given() -> None:
    options = parse(ENOUGH)
    assert options.command == ["/app"]
    assert (options.forks, options.backlog, options.php_children) == (1, 1024, -1)
    assert options.is_forking
    assert {getattr(options, name) for name in [*TEXTS.values(), "mode"]} == {
        None,
        "/s",
    }


def test_the_program_may_stand_first_and_has_its_own_options_after_hyphens() -> None:
    assert parse(["/app", "x", "-s", "/s", "--", "-F", "2"]).command == [
        "/app",
        "x",
        "-F",
        "2",
    ]


@pytest.mark.parametrize(
    ("value", "port"),
    [("80", 80), (" 80", 80), ("+80", 80), ("65616", 80), ("-65456", 80)],
)
def test_a_port_is_what_is_left_in_sixteen_bits(value: str, port: int) -> None:
    assert parse(["-p", value, "/app"]).port == port


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        ("-p 80x /app", "invalid port: 80"),
        ("-p 70000x /app", "invalid port: 4464"),
        ("-p abc -h", "invalid port: 0"),
        ("-s /s", "no FastCGI application given"),
        ("--", "no FastCGI application given"),
        ("/app", "no socket given (use either -p or -s)"),
        ("-p 65536 /app", "no socket given (use either -p or -s)"),
        (
            "-p 80 -s /s /app",
            "either a Unix domain socket or a TCP-port, but not both",
        ),
        ("-p 80 -s /s", "no FastCGI application given"),
        (f"-s {'x' * 108} /app", "path of the Unix domain socket is too long"),
        (f"-s {'é' * 54} /app", "path of the Unix domain socket is too long"),
    ],
)
def test_refuses_in_spawn_fcgis_words(arguments: str, refusal: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse(arguments.split())
    assert str(refused.value) == refusal


def test_the_longest_path_that_fits_is_taken() -> None:
    assert parse(["-s", "x" * 107, "/app"]).path == "x" * 107


@pytest.mark.parametrize("shown", ["-h", "-?", "--help", "-v", "--version"])
def test_after_help_or_version_nothing_matters(shown: str) -> None:
    name = "version" if "v" in shown else "help"
    assert parse([shown, "-p", "abc", "-x"]).show == name


def test_before_help_everything_matters() -> None:
    with pytest.raises(OptionError):
        parse(["-x", "-h"])


@pytest.mark.parametrize(
    ("arguments", "doubt"),
    [
        ("-p 70000 /app", "port 70000 would become 4464"),
        ("-p -1 /app", "port -1 would become 65535"),
        ("-F 0 -s /s /app", "with -F 0 nothing would be spawned"),
        ("-F abc -s /s /app", "not a number for -F: 'abc'"),
        ("-F 4294967297 -s /s /app", "not a number for -F: '4294967297'"),
        ("-b 1k -s /s /app", "not a number for -b: '1k'"),
        ("-M 0999 -s /s /app", "not a number for -M: '0999'"),
        ("-M -1 -s /s /app", "not a number for -M: '-1'"),
        ("-C= -s /s /app", "not a number for -C: '='"),
    ],
)
def test_what_can_hardly_be_meant_is_a_doubt(arguments: str, doubt: str) -> None:
    assert parse(arguments.split()).doubts[0] == doubt


def test_a_sound_command_line_leaves_no_doubt() -> None:
    line = "-s /s -M 0660 -F 4 -C 0 -b 128 -u www-data -- /app -F 0"
    assert parse(line.split()).doubts == []


def test_every_letter_is_understood() -> None:
    letters = {*TEXTS, *NUMBERS, *SWITCHES, *"pMhv?"} - WORDS
    assert letters == set(LETTERS) - {":"}
