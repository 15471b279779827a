"""Settings of `prefork exec`: where the program begins, and on which socket."""

from pathlib import Path

import pytest

from prefork.config import load
from prefork.errors import ConfigError
from prefork.settings import Settings
from prefork.settings.gateways import EXEC
from prefork.system.address import with_protocol


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in an empty directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def read(*argv: str, **environ: str) -> Settings:
    return load(argv, environ, prog="prefork exec", gateway=EXEC).settings


@pytest.mark.parametrize(
    "argv",
    [
        ["-w", "3", "--", "it", "-w", "9", "a b"],
        ["-w", "3", "it", "-w", "9", "a b"],
        ["--workers=3", "--", "it", "-w", "9", "a b"],
    ],
)
def test_what_follows_the_program_is_its_own(argv: list[str]) -> None:
    settings = read(*argv)
    assert settings.workers.most == 3
    assert settings.app == "it -w 9 'a b'"


def test_a_program_may_have_a_double_dash_of_its_own() -> None:
    assert read("--", "it", "--", "-x").app == "it -- -x"


def test_a_program_may_be_named_in_the_file(directory: Path) -> None:
    file = directory / "prefork.toml"
    file.write_text('app = "it -x"\n')
    file.chmod(0o644)
    assert read("-w", "2").app == "it -x"
    assert read("other").app == "other"


def test_without_a_program_it_is_not_complete() -> None:
    assert not read("-w", "2").is_complete
    assert not read("--").is_complete


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/run/it.sock", "fastcgi+unix:/run/it.sock"),
        ("unix:@it", "fastcgi+unix:@it"),
        ("fd://3", "fastcgi+fd://3"),
        ("127.0.0.1:9000", "fastcgi://127.0.0.1:9000"),
        ("[::1]:9000", "fastcgi://[::1]:9000"),
        ("9000", "fastcgi://9000"),
        ("scgi://127.0.0.1:9000", "scgi://127.0.0.1:9000"),
        ("http+unix:/run/it.sock", "http+unix:/run/it.sock"),
    ],
)
def test_an_address_that_names_no_protocol_is_one_of_fastcgi(
    text: str, address: str
) -> None:
    assert with_protocol(text, "fastcgi") == address
    assert read("-b", text, "it").bind == (address,)


def test_there_is_one_address() -> None:
    with pytest.raises(ConfigError, match="bind: one address"):
        read("-b", "unix:/a", "-b", "unix:/b", "it")


def test_to_settle_takes_less_than_a_boot_may() -> None:
    with pytest.raises(ConfigError, match="settle: it has to be less"):
        read("--settle", "5", "--boot-timeout", "5", "it")


@pytest.mark.parametrize(
    ("flag", "owners"),
    [
        ("--timeout", "prefork-wsgi"),
        ("--keep-alive", "prefork-wsgi and prefork-cgi"),
        ("--access-logfile", "prefork-wsgi and prefork-cgi"),
    ],
)
def test_what_only_those_have_who_see_requests_is_unknown(
    flag: str, owners: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        read(f"{flag}=1", "it")
    message = f"no such option: {flag}; it is one of {owners}\n"
    assert message in capsys.readouterr().err
