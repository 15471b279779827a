"""Where settings come from, which wins, and what is said of mistakes."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from prefork.config import Configuration, load
from prefork.config.file import refuse_world_writable
from prefork.config.options import format_help, synopsis
from prefork.errors import ConfigError
from prefork.settings import Settings
from prefork.settings.gateways import GATEWAYS
from prefork.settings.registry import settings_of
from prefork.settings.scale import Scale

every_gateway = pytest.mark.parametrize("gateway", GATEWAYS)

Write = Callable[[str, str], None]


@pytest.fixture(autouse=True)
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Stand in an empty directory; return what writes a file there."""
    monkeypatch.chdir(tmp_path)

    def write(name: str, text: str) -> None:
        path = tmp_path / name
        path.write_text(text)
        path.chmod(0o644)

    return write


def read(*argv: str, **environ: str) -> Configuration:
    return load(argv, environ, prog="prefork-wsgi")


def mistakes(*argv: str, **environ: str) -> list[str]:
    """What the error says, line by line."""
    with pytest.raises(ConfigError) as error:
        read(*argv, **environ)
    return str(error.value).split("\n")


def usage_error(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    """The last line that a command prints which was used wrongly."""
    with pytest.raises(SystemExit) as exit:
        read(*argv)
    assert exit.value.code == 2
    usage, *_, last = capsys.readouterr().err.splitlines()
    assert usage == "usage: prefork-wsgi [OPTION]... MODULE:CALLABLE"
    return last.removeprefix("prefork-wsgi: error: ")


# Precedence


def test_without_any_source_there_are_the_defaults() -> None:
    configuration = read()
    assert configuration.settings == Settings()
    assert set(configuration.origins.values()) == {"default"}


@pytest.mark.parametrize(
    ("file", "environ", "argv", "workers", "origin"),
    [
        ("", {}, [], 4, "default"),
        ("workers = 5", {}, [], 5, "prefork.toml:1"),
        ("", {"PREFORK_WORKERS": "6"}, [], 6, "PREFORK_WORKERS"),
        ("", {}, ["-w", "7"], 7, "--workers"),
        ("workers = 5", {"PREFORK_WORKERS": "6"}, [], 6, "PREFORK_WORKERS"),
        ("workers = 5", {}, ["-w7"], 7, "--workers"),
        ("", {"PREFORK_WORKERS": "6"}, ["--workers=7"], 7, "--workers"),
        ("workers = 5", {"PREFORK_WORKERS": "6"}, ["-w7"], 7, "--workers"),
        ("workers = 5", {}, ["-w7", "-w4"], 4, "--workers"),
    ],
)
def test_default_then_file_then_environment_then_command_line(
    write: Write,
    file: str,
    environ: dict[str, str],
    argv: list[str],
    workers: int,
    origin: str,
) -> None:
    write("prefork.toml", file)
    configuration = read(*argv, **environ)
    assert configuration.settings.workers == Scale(workers, workers)
    assert configuration.origins["workers"] == origin
    assert configuration.origins["timeout"] == "default"


def test_a_list_is_replaced_not_added_to(write: Write) -> None:
    write("prefork.toml", 'bind = ["127.0.0.1:1", "127.0.0.1:2"]')
    assert read("-b", ":3").settings.bind == (":3",)


# The command line


@pytest.mark.parametrize(
    "argv",
    ["app:wsgi -w 7 -D", "-w 7 app:wsgi -D", "-w 7 -D app:wsgi", "-Dw7 app:wsgi"],
)
def test_the_application_may_stand_anywhere(argv: str) -> None:
    settings = read(*argv.split()).settings
    assert (settings.app, settings.daemon) == ("app:wsgi", True)
    assert settings.workers == Scale(7, 7)


def test_repeated_flags_make_a_list() -> None:
    settings = read("-b", ":1", "--bind", "unix:/a,b", "-e", "A=1,2", "-eB=3").settings
    assert settings.bind == (":1", "unix:/a,b")
    assert settings.env == ("A=1,2", "B=3")


@pytest.mark.parametrize(
    ("flag", "value"), [("--preload", True), ("--no-preload", False)]
)
def test_a_switch_has_two_flags_and_both_are_origins(flag: str, value: bool) -> None:
    configuration = read(flag)
    assert configuration.settings.preload is value
    assert configuration.origins["preload"] == flag


def test_a_switch_of_the_file_can_be_undone(write: Write) -> None:
    write("prefork.toml", "daemon = true\npreload = true\n")
    settings = read("--no-daemon", PREFORK_PRELOAD="automatic").settings
    assert (settings.daemon, settings.preload) == (False, None)


def test_an_alias_is_named_by_its_first_flag() -> None:
    assert read("--log-file", "x").origins["error_logfile"] == "--error-logfile"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--wrokers 4", "no such option: --wrokers; did you mean --workers?"),
        ("--quux", "no such option: --quux"),
        ("--work 4", "no such option: --work; did you mean --workers?"),
        ("a:b c:d", "one application only, so what is 'c:d'?"),
        ("-w", "argument -w/--workers: expected one argument"),
    ],
)
def test_a_command_line_used_wrongly_exits_2(
    capsys: pytest.CaptureFixture[str], argv: str, message: str
) -> None:
    assert usage_error(capsys, *argv.split()) == message


# The file


def test_pyproject_is_read_when_there_is_no_prefork_toml(write: Write) -> None:
    write("pyproject.toml", "[project]\nname = 'x'\n\n[tool.prefork]\nname = 'y'\n")
    configuration = read()
    assert configuration.settings.name == "y"
    assert configuration.origins["name"] == "pyproject.toml:5"


def test_prefork_toml_is_read_instead_of_pyproject(write: Write) -> None:
    write("pyproject.toml", "[tool.prefork]\nworkers = 5\n")
    write("prefork.toml", "")
    assert read().settings.workers == Scale(4, 4)


@pytest.mark.parametrize(
    "text", ["this is not TOML", "[project]\ndependencies = ['prefork']", "tool = 5"]
)
def test_a_pyproject_without_our_table_is_left_alone(write: Write, text: str) -> None:
    write("pyproject.toml", text)
    assert read().settings == Settings()


def test_the_file_that_is_named_is_read_instead_of_all_others(write: Write) -> None:
    write("prefork.toml", "nonsense")
    write("other.toml", "workers = 5")
    assert read("-c", "other.toml").origins["workers"] == "other.toml:1"


def test_keys_may_have_dashes(write: Write) -> None:
    write("prefork.toml", "\n\ngraceful-timeout = 2.5")
    configuration = read()
    assert configuration.settings.graceful_timeout == 2.5
    assert configuration.origins["graceful_timeout"] == "prefork.toml:3"


@every_gateway
def test_every_setting_may_be_in_the_file_as_its_own_text(
    write: Write, gateway: str
) -> None:
    without = load([], {}, prog="it", gateway=gateway)
    origins, lines = {}, []
    for number, setting in enumerate(settings_of(gateway), 1):
        text = setting.kind.format(setting.default)
        lines.append(f"{setting.name} = '{text}'")
        origins[setting.name] = f"prefork.toml:{number}"
    write("prefork.toml", "\n".join(lines))
    configuration = load([], {}, prog="it", gateway=gateway)
    assert configuration.settings == without.settings
    assert configuration.origins == without.origins | origins


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("workers = 0", ":1"),
        ("# workers = 1\n  workers=0", ":2"),
        ('timeout = 5\n"workers" = 0', ":2"),
        ("workers.x = 0", ":1"),
        ("timeout = 5\n[workers]\nx = 1", ":2"),
        ('"w\\u006frkers" = 0', ""),
    ],
)
def test_a_mistake_has_its_line(write: Write, text: str, line: str) -> None:
    write("prefork.toml", text)
    [mistake] = mistakes()
    assert mistake.startswith(f"prefork.toml{line}: workers: ")


def test_a_line_is_looked_for_in_our_table_only(write: Write) -> None:
    write("pyproject.toml", "[tool.x]\nworkers = 1\n[tool.prefork]\nworkers = 0")
    assert mistakes() == ["pyproject.toml:4: workers: 0 is less than 1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("workers = 'many'", ":1: workers: 'many' is not a whole number"),
        ("workers = true", ":1: workers: True is not a whole number"),
        ("preload = 1", ":1: preload: 1 is neither true nor false"),
        ("wrokers = 4", ":1: wrokers: no such setting; did you mean workers?"),
        ("quux = 4", ":1: quux: no such setting"),
        ("bind = 8000", ":1: bind: 8000 is neither text nor a list of texts"),
        (
            "max-rss = 'x'",
            ":1: max-rss: 'x' is not a size such as 500, 64K, 300M or 1G",
        ),
        ("a = 1\n\nb = = 2", ":3: it is not TOML: Invalid value"),
        ("a = [", ": it is not TOML: Invalid value"),
        pytest.param(f"a = {'9' * 5000}", ": it is not TOML: Exceeds", id="number"),
        pytest.param(f"a = '{'x' * (1 << 20)}'", ": it is longer than 1 MB", id="long"),
        ("max-rss = 1\nmax_rss = 2", ":2: max_rss: it is there as max-rss too"),
    ],
)
def test_says_what_is_wrong_with_a_file(write: Write, text: str, message: str) -> None:
    write("prefork.toml", text)
    [mistake] = mistakes()
    assert mistake.startswith("prefork.toml" + message)


def test_a_named_file_must_exist() -> None:
    expected = ["nope.toml: cannot read it: No such file or directory"]
    assert mistakes("-c", "nope.toml") == expected


def test_a_named_pyproject_must_have_our_table(write: Write) -> None:
    write("pyproject.toml", "")
    expected = ["pyproject.toml: it has no table [tool.prefork]"]
    assert mistakes("-c", "pyproject.toml") == expected


def test_a_file_must_be_utf_8(tmp_path: Path) -> None:
    (tmp_path / "prefork.toml").write_bytes(b"name = '\xff'")
    assert mistakes() == ["prefork.toml: it is not UTF-8: invalid start byte"]


@pytest.mark.skipif(os.geteuid() != 0, reason="the rule is for root")
def test_root_reads_no_file_that_everybody_may_write(
    write: Write, tmp_path: Path
) -> None:
    write("prefork.toml", "")
    (tmp_path / "prefork.toml").chmod(0o666)
    [mistake] = mistakes()
    assert mistake.startswith("prefork.toml: everybody may write to it")


def test_anybody_else_may_read_such_a_file() -> None:
    refuse_world_writable("prefork.toml", 0o100666, uid=1000)
    refuse_world_writable("prefork.toml", 0o100664, uid=0)
    with pytest.raises(ConfigError, match=r"\(chmod o-w prefork.toml\)"):
        refuse_world_writable("prefork.toml", 0o100666, uid=0)


# The environment


def test_lists_of_the_environment_have_commas_or_lines() -> None:
    settings = read(PREFORK_BIND=":1, :2", PREFORK_ENV="A=1,2\nB=3").settings
    assert settings.bind == (":1", ":2")
    assert settings.env == ("A=1,2", "B=3")


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("PREFORK_WORKERS", "many", "'many' is not a whole number"),
        ("PREFORK_WROKERS", "4", "no such setting; did you mean PREFORK_WORKERS?"),
        ("PREFORK_DAEMON", "maybe", "'maybe' is neither true nor false"),
        ("PREFORK_CONFIG", "x.toml", "no such setting"),
    ],
)
def test_says_what_is_wrong_with_a_variable(
    variable: str, text: str, message: str
) -> None:
    assert mistakes(**{variable: text}) == [f"{variable}: {message}"]


def test_variables_of_others_are_left_alone() -> None:
    assert read(PORT="80", WEB_CONCURRENCY="2", PREFORKX="1").settings == Settings()


# All of them


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("--workers=many", "--workers: 'many' is not a whole number"),
        ("-t -1", "--timeout: -1.0 is less than 0"),
        ("-b x:y", "--bind: cannot bind 'x:y': 'y' is not a port (write HOST:PORT)"),
        (
            "--access-logformat %q",
            "--access-logformat: access log format: no atom begins at '%q'",
        ),
        (
            "--log-level loud",
            "--log-level: 'loud' is none of debug, info, warning, error, critical",
        ),
    ],
)
def test_says_what_is_wrong_with_a_flag(argv: str, message: str) -> None:
    assert mistakes(*argv.split()) == [message]


def test_every_mistake_of_every_source_is_reported_at_once(write: Write) -> None:
    write("prefork.toml", "workers = 0\nfoo = 1\ntimeout = 5")
    assert mistakes("--max-rss=x", PREFORK_TIMEOUT="y") == [
        "prefork.toml:1: workers: 0 is less than 1",
        "prefork.toml:2: foo: no such setting",
        "PREFORK_TIMEOUT: 'y' is not a number of seconds",
        "--max-rss: 'x' is not a size such as 500, 64K, 300M or 1G",
    ]


@pytest.mark.parametrize(
    ("gateway", "mine", "elsewhere"),
    [
        (
            "wsgi",
            "reload",
            "cgi_timeout: no such setting here; it is one of prefork-cgi",
        ),
        ("cgi", "wrap", "preload: no such setting here; it is one of prefork-wsgi"),
        (
            "exec",
            "daemon",
            "frontend_errors: no such setting here; it is one of prefork-wsgi and "
            "prefork-cgi",
        ),
    ],
)
def test_a_setting_of_another_command_is_a_mistake(
    write: Write, gateway: str, mine: str, elsewhere: str
) -> None:
    name = elsewhere.partition(":")[0]
    write("prefork.toml", f"{mine} = false\n{name} = true")
    variable = f"PREFORK_{name.upper()}"
    with pytest.raises(ConfigError) as raised:
        load([], {variable: "1"}, prog="it", gateway=gateway)
    reason = elsewhere.partition(": ")[2]
    assert str(raised.value).splitlines() == [
        f"prefork.toml:2: {elsewhere}",
        f"{variable}: {reason}",
    ]


# Help


@every_gateway
def test_help_has_a_line_for_every_setting_with_its_default(gateway: str) -> None:
    lines = format_help("prefork-wsgi", gateway).splitlines()
    for setting in settings_of(gateway):
        [line] = [line for line in lines if line.startswith(f"  {synopsis(setting)} ")]
        assert setting.help in line
        assert not setting.shown_default or f"[{setting.shown_default}]" in line


@every_gateway
def test_help_fits_80_columns(gateway: str) -> None:
    assert max(map(len, format_help("prefork-wsgi", gateway).splitlines())) <= 80


@every_gateway
def test_help_keeps_its_columns_apart(gateway: str) -> None:
    assert max(len(synopsis(setting)) for setting in settings_of(gateway)) < 30


def test_a_flag_of_another_gateway_is_not_known(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as exit:
        load(["--wrap"], {}, prog="prefork-wsgi")
    assert exit.value.code == 2
    message = "no such option: --wrap; it is one of prefork-cgi\n"
    assert message in capsys.readouterr().err


def test_a_gateway_may_need_a_flag_for_a_setting_of_its_own() -> None:
    options = ["--wrap", "-p", "/srv/a", "-p", "/srv/b", "--pid", "x"]
    settings = load(options, {}, prog="prefork-cgi", gateway="cgi").settings
    assert settings.gateway == "cgi"
    assert (settings.allow, settings.pid) == (("/srv/a", "/srv/b"), "x")
