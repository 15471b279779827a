"""What servers answer differently prefork-cgi answers right, in each of its ways."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from serving.browser import Browser
from serving.cgi_questions import QUESTIONS, SILENCE, Question, answer_of
from serving.front_end import FrontEnd
from serving.make import Make
from serving.makes.nginx import NGINX
from serving.pool import Pool

pytestmark = [pytest.mark.process, pytest.mark.slow]

each_question = pytest.mark.parametrize(
    "question", QUESTIONS, ids=[question.name for question in QUESTIONS]
)


class Direct(Browser):
    """A client of prefork-cgi itself."""

    def __init__(self, port: int) -> None:
        self.port = port


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    pool = Pool()
    yield pool
    left = pool.clean_up()
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="module")
def place(pool: Pool) -> Path:
    place = pool.directory / "cgi-bin"
    place.mkdir()
    place.chmod(0o1777)
    return place


@pytest.fixture(scope="module")
def served(pool: Pool, place: Path) -> Direct:
    pool.start(
        *("-w", "2", "--cgi-timeout", f"{SILENCE}", "--script-name", "/cgi-bin"),
        app=str(place),
        program="prefork.cli.cgi",
    )
    return Direct(pool.port)


@each_question
def test_over_http(served: Direct, place: Path, question: Question) -> None:
    assert answer_of(question, served, place) == question.right


@pytest.fixture(scope="module")
def wrapped() -> Iterator[tuple[FrontEnd, Path]]:
    """nginx with the snippet of contrib, and what stands there for fcgiwrap."""
    if not NGINX.path:
        pytest.skip("nginx is not installed")
    pool = Pool()
    place = pool.directory / "cgi-bin"
    place.mkdir()
    place.chmod(0o1777)
    pool.start(
        *("-w", "2", "--cgi-timeout", f"{SILENCE}", "--socket-mode", "666"),
        *("--wrap", "-p", str(place)),
        app="",
        bind=f"fastcgi+unix:{pool.directory}/cgi.sock",
        program="prefork.cli.cgi",
    )
    with FrontEnd(
        serving_from(pool.directory), "cgi", f"unix:{pool.directory}/cgi.sock"
    ) as front:
        yield front, place
    print(pool.log)
    assert not pool.clean_up()


def serving_from(root: Path) -> Make:
    def configure(directory: Path, snippet: str, place: str, port: int) -> str:
        snippet = snippet.replace("root /usr/lib;", f"root {root};")
        return NGINX.configure(directory, snippet, place, port)

    return replace(NGINX, configure=configure)


@pytest.mark.frontend
@each_question
def test_behind_nginx_in_place_of_fcgiwrap(
    wrapped: tuple[FrontEnd, Path], question: Question
) -> None:
    front, place = wrapped
    assert answer_of(question, front, place) == question.right
