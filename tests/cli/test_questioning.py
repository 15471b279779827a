"""The arguments of `prefork request`: what question they make."""

import io
from argparse import ArgumentParser
from pathlib import Path
from types import SimpleNamespace

import pytest

from prefork.cli.questioning import FORM, add_arguments, read_arguments
from prefork.protocols.asking.question import Question


def read(*argv: str) -> Question:
    parser = ArgumentParser()
    add_arguments(parser)
    return read_arguments(parser.parse_intermixed_args(argv))[1]


def test_what_nobody_says() -> None:
    assert read("http://localhost:8000") == Question(host="localhost:8000")


def test_everything_that_can_be_said() -> None:
    assert read(
        *("ajp://localhost/a", "-X", "PUT", "-H", "X-Y: z ", "-H", "Empty:"),
        *("-d", "body", "--param", "A=b=c", "--secret", "s"),
    ) == Question(
        method="PUT",
        target="/a",
        headers=[("X-Y", "z"), ("Empty", ""), ("Content-Type", FORM)],
        body=b"body",
        variables={"A": "b=c"},
        secret="s",
    )


def test_the_path_may_stand_behind_the_address() -> None:
    assert read("scgi+unix:s", "/a?b").target == "/a?b"


def test_with_a_body_it_is_a_post() -> None:
    question = read("unix:s", "-d", "", "-H", "content-type: text/plain")
    assert (question.method, question.body) == ("POST", b"")
    assert question.headers == [("content-type", "text/plain")]


def test_the_body_may_be_in_a_file_or_come_from_stdin(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "body").write_bytes(b"\xff\n")
    assert read("unix:s", "-d", f"@{tmp_path}/body").body == b"\xff\n"
    stdin = SimpleNamespace(buffer=io.BytesIO(b"typed"))
    monkeypatch.setattr("sys.stdin", stdin)
    assert read("unix:s", "-d", "@-").body == b"typed"


def test_arguments_are_the_bytes_that_they_were() -> None:
    question = read("scgi+unix:s", "-H", "A: é", "--param", "B=\udcff")
    assert question.headers == [("A", "\xc3\xa9")]
    assert question.variables == {"B": "\xff"}


@pytest.mark.parametrize(
    ("path", "target"),
    [("/app/x?y", "/app/x?y"), ("/x", "/app/x"), ("/apple", "/app/apple")],
)
def test_a_path_is_within_the_script_name(path: str, target: str) -> None:
    question = read("scgi+unix:s", path, "--script-name", "/app")
    assert (question.script_name, question.target) == ("/app", target)


def test_the_script_name_is_decoded_as_the_path_is() -> None:
    question = read("scgi+unix:s", "/a%20b/c", "--script-name", "/a%20b")
    assert (question.script_name, question.target) == ("/a b", "/a%20b/c")
    assert question.meta_variables["PATH_INFO"] == "/c"


def test_a_body_that_cannot_be_read_is_told_by_its_option() -> None:
    with pytest.raises(ValueError, match=r"--data @/no/such: No such file"):
        read("scgi+unix:s", "-d", "@/no/such")


def test_a_script_is_described_as_php_wants_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    question = read("fastcgi+unix:s", "--script", "www/index.php")
    assert question.target == question.script_name == "/index.php"
    assert question.variables["SCRIPT_FILENAME"] == f"{tmp_path}/www/index.php"
    assert question.variables["DOCUMENT_ROOT"] == f"{tmp_path}/www"
    other = read("fastcgi+unix:s", "/blog/1", "--script", "www/index.php")
    assert (other.script_name, other.target) == ("/index.php", "/blog/1")


def test_a_program_is_its_own_script(tmp_path: Path) -> None:
    question = read(f"cgi:{tmp_path}/program", "/program/more")
    assert question.script_name == "/program"
    assert question.variables["SCRIPT_FILENAME"] == f"{tmp_path}/program"


def test_the_secret_may_be_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFORK_AJP_SECRET", "hush")
    assert read("ajp://localhost").secret == "hush"
    assert read("ajp://localhost", "--secret", "louder").secret == "louder"


@pytest.mark.parametrize(
    ("argv", "reason"),
    [
        (["http://a/b", "/c"], "a path in the URL, and another one behind it"),
        (["http://a/", "--param", "A=b"], "HTTP carries no variables"),
        (["http://a/", "--secret", "s"], "only AJP has one"),
        (["unix:s", "-H", "X"], "-H 'X' is not NAME: VALUE"),
        (["unix:s", "-H", "X: y\r\nZ: w"], "is not NAME: VALUE"),
        (["scgi+unix:s", "--param", "X"], "--param 'X' is not NAME=VALUE"),
        (["scgi+unix:s", "--script-name", "app"], "does not begin with a slash"),
        (["cgi:p", "--script", "f"], "a program is its own script"),
        (["http://a/", "--script", "f"], "HTTP carries no variables"),
    ],
)
def test_nothing_is_ignored(argv: list[str], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read(*argv)
