"""What the README says of `prefork request` and `prefork inspect`: all of it runs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.inspection import looking_on
from serving.strangers import PHP_FPM, php_fpm

from prefork.cli.request import main
from prefork.errors import EXIT_TIMED_OUT, EXIT_UNREACHABLE

README = (Path(__file__).parents[1] / "README.md").read_text()
CHAPTER = re.search(r"(?ms)^### Asking, and looking on$(.*?)^## ", README)[1]
REQUESTS = re.findall(r"(?m)^prefork request (.*)$", CHAPTER)
(INSPECTION,) = re.findall(r"(?m)^prefork inspect (.*)$", CHAPTER)
SEEN = re.search(r"(?ms)^```\n(#1\.1 .*?)^```$", CHAPTER)[1]
PHP = "fastcgi+unix:/run/php/php-fpm.sock"

APPLICATION = """
def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"a report"]
"""
PROGRAM = """#!/bin/sh
echo Content-Type: text/plain
echo
echo a report
"""


class Place:
    """A prefork that speaks everything, and the README's places that mean it."""

    def __init__(self, server: Server) -> None:
        here = server.directory
        (here / "app.py").write_text(APPLICATION)
        (here / "report").write_text(PROGRAM)
        (here / "report").chmod(0o755)
        (here / "index.php").write_text("a report")
        binds = ("-b", f"auto+unix:{here}/app.sock", "-b", "ajp://127.0.0.1:0")
        server.start("-w", "1", *binds, "--pythonpath", str(here), env={"PATH": "/bin"})
        ajp = server.wait_log(r"listening on=(ajp://127\.0\.0\.1:\d+)")[1]
        self.instead = {
            "http://127.0.0.1:8000": f"http://127.0.0.1:{server.port}",
            "ajp://127.0.0.1:8009": ajp,
            "unix:/run/prefork/": f"unix:{here}/",
            "prefork.sock": "app.sock",
            "/srv/cgi-bin": str(here),
            "/srv/www": str(here),
        }

    def read(self, command: str) -> list[str]:
        for words, others in self.instead.items():
            command = command.replace(words, others)
        return shlex.split(command)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield Place(server)
    server.stop()
    assert not server.clean_up()


@pytest.mark.process
@pytest.mark.parametrize("command", [each for each in REQUESTS if PHP not in each])
def test_what_is_asked_is_answered(
    place: Place, command: str, capfd: pytest.CaptureFixture[str]
) -> None:
    # One of them gives the server two seconds, which a busy machine may take.
    eventually(lambda: main(place.read(command)) == 0)
    out, _ = capfd.readouterr()
    assert "a report" in out or "100 requests, 0 failed" in out


@pytest.mark.process
@pytest.mark.frontend
@pytest.mark.skipif(not PHP_FPM, reason="php-fpm is not installed")
def test_php_is_asked_too(
    place: Place, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (command,) = [each for each in REQUESTS if PHP in each]
    with php_fpm(tmp_path) as php:
        assert main(place.read(command.replace(PHP, php))) == 0
    assert capfd.readouterr().out == "a report"


@pytest.mark.process
def test_what_passes_by_is_seen(place: Place, tmp_path: Path) -> None:
    with looking_on(tmp_path, *place.read(INSPECTION)) as onlooker:
        main([f"fastcgi+{onlooker.place}", "/report?year=2026"])
        eventually(lambda: "= 200;" in onlooker.seen)
        lines = without_numbers(onlooker.seen)
    assert not {*without_numbers(SEEN)} - {*lines, "..."}


def without_numbers(text: str) -> list[str]:
    times = re.sub(r"\d{4}-\S+Z", "TIME", text)
    figures = re.sub(r" *\d+(\.\d+)? (k?B|ms|s)\b", " N", times)
    return figures.splitlines()


def test_the_exit_statuses_are_those_of_the_program() -> None:
    statuses = re.findall(r"(?m)^\| (\d+) \|", CHAPTER)
    assert statuses == ["0", "1", "2", str(EXIT_UNREACHABLE), str(EXIT_TIMED_OUT)]
