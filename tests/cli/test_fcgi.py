"""prefork-fcgi: its names, its help, --strict, and what the program is given."""

import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from prefork import __version__
from prefork.spawn.options import LETTERS, WORDS
from prefork.spawn.words import format_help

ROOT = Path(__file__).parents[2]
MAN = ROOT / "man" / "prefork-fcgi.1"
CALL = f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
MAIN = "from prefork.cli.fcgi import main\nsys.exit(main())\n"
ENV = shutil.which("env") or "/usr/bin/env"

process = pytest.mark.process


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """As pip installs it."""
    return write_script(tmp_path / "bin" / "prefork-fcgi")


def write_script(path: Path) -> Path:
    path.parent.mkdir()
    path.write_text(f"#!{sys.executable} -I\n{CALL}{MAIN}")
    path.chmod(0o755)
    return path


def run(
    script: Path, *arguments: object, **more: object
) -> subprocess.CompletedProcess[str]:
    command = [script, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **more)


# Names and help


@process
def test_without_arguments_it_helps_but_fails(script: Path) -> None:
    done = run(script)
    assert (done.returncode, done.stderr) == (255, "")
    assert done.stdout == format_help("prefork-fcgi") + "\n"


@process
@pytest.mark.parametrize("option", ["-v", "--version"])
def test_the_version_names_who_it_is(script: Path, option: str) -> None:
    done = run(script, option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"prefork-fcgi v{__version__} ")


@process
def test_under_the_name_of_spawn_fcgi_it_is_one(tmp_path: Path) -> None:
    done = run(write_script(tmp_path / "bin" / "spawn-fcgi"), "-x")
    assert (done.returncode, done.stderr) == (0, "spawn-fcgi: invalid option -- 'x'\n")
    assert done.stdout.startswith("Usage: spawn-fcgi ")


@process
def test_under_its_own_name_it_says_that(script: Path) -> None:
    done = run(script, "-x")
    assert (done.returncode, done.stderr) == (
        0,
        "prefork-fcgi: invalid option -- 'x'\n",
    )


def test_the_help_has_every_option_and_fits_a_terminal() -> None:
    text = format_help("prefork-fcgi")
    shown = set(re.findall(r"(?m)^ -(\w)\b|-(\?)", text))
    letters = {letter for pair in shown for letter in pair if letter}
    assert letters | {"h"} == set(LETTERS) - {":"}
    assert set(re.findall(r"--\w+", text)) == WORDS
    assert max(map(len, text.splitlines())) <= 80


def test_the_man_page_has_the_options_of_the_help() -> None:
    items = [line for line in MAN.read_text().splitlines() if line.startswith(".It Fl")]
    flags = {flag for line in items for flag in re.findall(r"Fl (\S+)", line)}
    words = {f"--{flag[1:]}" for flag in flags if len(flag) > 2 and flag[0] == "-"}
    letters = {flag.removeprefix("\\&") for flag in flags} - {w[1:] for w in words}
    assert words == WORDS
    assert letters == set(LETTERS) - {":"}


@process
@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
def test_mandoc_has_nothing_to_say_of_the_man_page() -> None:
    lint = ["mandoc", "-Tlint", MAN]
    said = subprocess.run(lint, capture_output=True, text=True, check=False).stdout
    assert not [line for line in said.splitlines() if "manual not found" not in line]


# --strict


@process
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["-F", "0"], "with -F 0 nothing would be spawned"),
        (["-M", "abc"], "not a number for -M: 'abc'"),
        (["-p", "65536"], "port 65536 would become 0"),
    ],
)
def test_strict_refuses_numbers_that_can_hardly_be_meant(
    script: Path, tmp_path: Path, arguments: list[str], reason: str
) -> None:
    done = run(script, "--strict", *arguments, "-s", tmp_path / "s", "--", "/bin/true")
    assert done.returncode == 255
    assert done.stderr == f"spawn-fcgi: {reason} (--strict)\n"
    assert not (tmp_path / "s").exists()


@process
def test_strict_removes_no_regular_file(script: Path, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    done = run(script, "--strict", "-s", path, "--", "/bin/true")
    assert done.returncode == 255
    assert done.stderr.startswith("spawn-fcgi: something that is no socket")
    assert path.read_text() == "precious"


@process
def test_without_strict_it_does(script: Path, tmp_path: Path) -> None:
    (tmp_path / "s").write_text("precious")
    run(script, "-s", tmp_path / "s", "-n", "--", "/bin/true")
    assert stat.S_ISSOCK((tmp_path / "s").stat().st_mode)


@process
def test_strict_spawns_where_all_is_well(script: Path, tmp_path: Path) -> None:
    arguments = ["-M", "0600", "-s", tmp_path / "s", "-n", "--", "/bin/sh", "-c"]
    assert run(script, "--strict", *arguments, "exit 7").returncode == 7


@process
@pytest.mark.skipif(os.getuid() != 0, reason="not root")
def test_strict_refuses_a_user_that_leaves_roots_groups(
    script: Path, tmp_path: Path
) -> None:
    done = run(script, "--strict", "-u", 54321, "-s", tmp_path / "s", "--", "/bin/true")
    assert done.returncode == 255
    assert done.stderr.startswith("spawn-fcgi: couldn't find the user for uid 54321 ")
    assert done.stderr.endswith("(--strict)\n")


@process
@pytest.mark.skipif(os.getuid() != 0, reason="not root")
@pytest.mark.parametrize(
    ("more", "status", "name"),
    [([], 255, "spawn-fcgi"), (["--supervise", "-n"], 78, "prefork-fcgi")],
)
@pytest.mark.parametrize(
    ("option", "reason"), [("-u", "uid"), ("-g", "gid"), ("-U", "uid"), ("-G", "gid")]
)
def test_nothing_is_made_roots_by_name(
    script: Path,
    tmp_path: Path,
    option: str,
    reason: str,
    more: list[str],
    status: int,
    name: str,
) -> None:
    done = run(script, *more, option, "root", "-s", tmp_path / "s", "--", "/bin/true")
    assert done.returncode == status
    assert done.stderr == f"{name}: I will not set {reason} to 0\n"


# What the program is given


@process
def test_the_program_finds_a_listening_socket_as_its_stdin(
    script: Path, tmp_path: Path
) -> None:
    look = (
        "import socket; sock = socket.socket(fileno=0);"
        "print(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN),"
        " sock.getblocking(), sock.getsockname())"
    )
    path = tmp_path / "s"
    done = run(script, "-n", "-s", path, "--", sys.executable, "-c", look)
    assert done.stdout == f"1 True {path}\n"


@process
@pytest.mark.parametrize(
    "environment",
    [{}, {"A": "1"}, {"LC_CTYPE": "C"}, {"LC_CTYPE": "POSIX", "LANG": "C"}],
    ids=str,
)
def test_the_environment_is_the_callers_also_in_the_c_locale(
    script: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    """Python sets LC_CTYPE for itself there, and for all that it executes."""
    done = run(script, "-n", "-s", tmp_path / "s", "--", ENV, env=environment)
    assert dict(line.split("=") for line in done.stdout.splitlines()) == environment


@process
def test_signals_have_their_default_effect(script: Path, tmp_path: Path) -> None:
    """Python ignores two of them, and what is ignored stays so."""
    grep = ["/bin/grep", "SigIgn", "/proc/self/status"]
    done = run(script, "-n", "-s", tmp_path / "s", "--", *grep)
    ignored = int(done.stdout.removeprefix("SigIgn:"), 16)
    assert ignored & ~(0b11 << 31) == 0  # 32 and 33 are the C library's own


@process
def test_names_are_told_byte_for_byte(script: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [script, "-s", tmp_path / "s", "-d", b"/n\xc3\xb6\xff", "--", "/bin/true"],
        stderr=subprocess.PIPE,
        check=False,
    )
    said = b"spawn-fcgi: chdir('/n\xc3\xb6\xff') failed: No such file or directory\n"
    assert done.stderr == said


@process
def test_a_stdout_that_takes_nothing_is_no_failure(
    script: Path, tmp_path: Path
) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run([script, "-v"], stdout=full, stderr=-1, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_it_is_loaded_without_what_takes_long() -> None:
    """Its start is most of what it costs: no settings, no argparse, no dataclasses."""
    code = f"{CALL}import prefork.cli.fcgi, prefork.spawn.launch\nprint(*sys.modules)"
    command = [sys.executable, "-I", "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    modules = set(done.stdout.split())
    slow = {
        "argparse",
        "dataclasses",
        "inspect",
        "logging",
        "re",
        "subprocess",
        "typing",
    }
    assert not modules & slow
    assert {name for name in modules if name.startswith("prefork.")} <= {
        "prefork.cli",
        "prefork.cli.fcgi",
        "prefork.errors",
        *(name for name in modules if name.startswith("prefork.spawn")),
    }
