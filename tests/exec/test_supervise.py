"""prefork-fcgi --supervise: spawn-fcgi's options, meant for `prefork exec`."""

import os
import stat
from pathlib import Path

import pytest
from serving import eventually
from serving.keeper import Keeper

from prefork.cli.supervise import supervise, translate
from prefork.config import load
from prefork.errors import EXIT_CONFIG, ConfigError
from prefork.settings import Settings
from prefork.settings.gateways import EXEC
from prefork.spawn.options import parse


def supervised(*words: str, is_root: bool = True) -> Settings:
    """What a server has for settings that is started so."""
    options = parse(["--supervise", *words, "--", "./program", "-x"])
    arguments = [*translate(options, is_root=is_root)]
    return load(arguments, {}, prog="prefork exec", gateway=EXEC).settings


def test_a_path_is_a_socket_of_unix_wherever_one_looks_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (bind,) = supervised("-s", "@it").bind
    assert bind == f"fastcgi+unix:{tmp_path}/@it"


@pytest.mark.parametrize(
    ("words", "bind"),
    [
        (["-p", "9000"], "fastcgi://0.0.0.0:9000"),
        (["-p", "9000", "-a", "127.0.0.1"], "fastcgi://127.0.0.1:9000"),
        (["-p", "9000", "-a", "::1"], "fastcgi://[::1]:9000"),
    ],
)
def test_a_port_is_one_of_tcp(words: list[str], bind: str) -> None:
    assert supervised(*words).bind == (bind,)


def test_what_there_is_of_it_is_the_same() -> None:
    words = "-p 9 -b 7 -F 3 -C 0 -P /run/it.pid -d /srv -M 0600".split()
    settings = supervised(*words)
    assert str(settings.workers) == "3"
    assert settings.backlog == 7
    assert settings.env == ("PHP_FCGI_CHILDREN=0",)
    assert (settings.pid, settings.chdir) == ("/run/it.pid", "/srv")
    assert settings.socket_mode == 0o600
    assert settings.app == "./program -x"
    assert settings.daemon
    assert not supervised("-n", "-p", "9").daemon


@pytest.mark.parametrize(
    ("words", "owner"),
    [
        ("-u www", "www"),
        ("-u www -g web", "www:web"),
        ("-u www -U root", "root"),
        ("-u www -g web -G adm", "www:adm"),
        ("", ""),
    ],
)
def test_the_socket_is_that_of_the_program_unless_it_is_said(
    words: str, owner: str
) -> None:
    assert supervised("-s", "/it", *words.split()).socket_owner == owner


def test_users_are_heard_of_root_only() -> None:
    settings = supervised("-s", "/it", "-u", "www", "-U", "root", is_root=False)
    assert (settings.user, settings.socket_owner) == ("", "")


def test_a_line_for_the_shell_is_one() -> None:
    options = parse(["--supervise", "-p", "9", "-f", "x y"])
    words = [*translate(options, is_root=False)]
    assert words[-3:] == ["/bin/sh", "-c", "exec x y"]


def test_a_jail_is_refused() -> None:
    with pytest.raises(ConfigError, match="-c cannot be supervised"):
        supervised("-p", "9", "-c", "/jail")


def test_none_is_nothing_to_keep() -> None:
    with pytest.raises(ConfigError, match="with -F 0 there would be nothing to keep"):
        supervised("-p", "9", "-F", "0")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ("-p 9 -F 0", "prefork-fcgi: with -F 0 there would be nothing to keep"),
        ("-p 99999 --strict", "prefork-fcgi: port 99999"),
    ],
)
def test_what_cannot_be_kept_is_bad_configuration(
    words: str, complaint: str, capfd: pytest.CaptureFixture[str]
) -> None:
    options = parse(["--supervise", *words.split(), "--", "./program"])
    assert supervise(options) == EXIT_CONFIG
    assert complaint in capfd.readouterr().err


@pytest.mark.process
def test_the_program_is_kept(keeper: Keeper) -> None:
    keeper.start(
        *("--supervise", "-n", "-F", "2", "-s", keeper.socket, "-M", "0600"),
        *("--", "sleep", "100"),
        program="prefork.cli.fcgi",
        bind=None,
        app="",
        env={"PREFORK_SETTLE": "0.2"},
    )
    assert stat.S_IMODE(os.stat(keeper.socket).st_mode) == 0o600
    before = keeper.copies()
    assert len(before) == 2
    os.kill(before[0], 9)
    eventually(lambda: len(keeper.copies()) == 2 and before[0] not in keeper.copies())
    assert keeper.control("stop").returncode == 0
