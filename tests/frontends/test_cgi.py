"""Web servers that start prefork-wsgi as a CGI program, with contrib's snippets."""

import os
import re
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from serving.front_end import FrontEnd, find_python
from serving.make import CONTRIB, Make
from serving.makes.apache import APACHE, AROUND, MODULES
from serving.makes.lighttpd import AROUND as AROUND_LIGHTTPD
from serving.makes.lighttpd import LIGHTTPD

pytestmark = [pytest.mark.process, pytest.mark.frontend]

ROOT = Path(__file__).parents[2]
INSTALLED = "/usr/lib/cgi-bin/app.cgi"


def configure_apache(directory: Path, snippet: str, place: str, port: int) -> str:
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in f"{MODULES} cgid alias".split()
    )
    snippet = snippet.replace("*:80", f"*:{port}").replace(INSTALLED, place)
    modules += f"\nScriptSock {directory}/cgid.sock"
    return AROUND.format(
        directory=directory, modules=modules, port=port, snippet=snippet
    )


def configure_lighttpd(directory: Path, snippet: str, place: str, port: int) -> str:
    snippet = snippet.replace(INSTALLED, place)
    return AROUND_LIGHTTPD.format(directory=directory, port=port, snippet=snippet)


MAKES = (
    replace(APACHE, configure=configure_apache),
    replace(LIGHTTPD, configure=configure_lighttpd),
)


@pytest.fixture(scope="module")
def program() -> Iterator[Path]:
    """contrib's program, for the application of the tests; anybody may read it."""
    directory = Path(tempfile.mkdtemp(prefix="cgi-"))
    directory.chmod(0o755)
    # Any will do: what a CGI program needs is in the standard library.
    ours = f"{shlex.quote(find_python())} -m prefork.cli.wsgi"
    text = (CONTRIB / "cgi" / "app.cgi").read_text()
    text = text.replace("/srv/app/venv/bin/prefork-wsgi", ours)
    text = text.replace("/srv/app", str(ROOT / "tests" / "programs"))
    text = text.replace("exec", f"export PYTHONPATH={ROOT}\nexec")
    path = directory / "app.cgi"
    path.write_text(text)
    path.chmod(0o755)
    yield path
    shutil.rmtree(directory)


@pytest.fixture(scope="module", params=MAKES, ids=[make.name for make in MAKES])
def front(program: Path, request: pytest.FixtureRequest) -> Iterator[FrontEnd]:
    make: Make = request.param
    if not make.path:
        pytest.skip(f"{make.program} is not installed")
    with FrontEnd(make, "cgi", str(program)) as front:
        yield front
        print(f"--- {make.name} ---\n{front.log}")


def environ_of(body: bytes) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([\w.]+)='(.*)'$", body.decode()))


def test_the_snippet_is_for_where_the_program_is(front: FrontEnd) -> None:
    assert INSTALLED in front.make.snippet("cgi").read_text()


def test_a_request_is_answered(front: FrontEnd) -> None:
    answer = front.get("/app/hello")
    assert (answer.status, answer.body) == (200, b"hello\n")
    assert front.get("/app").body == b"hello\n"


def test_the_path_is_split_at_the_program(front: FrontEnd) -> None:
    environ = environ_of(front.get("/app/environ?a=b%20c", ("X-Own", "1")).body)
    assert environ["SCRIPT_NAME"] == "/app"
    assert environ["PATH_INFO"] == "/environ"
    assert environ["QUERY_STRING"] == "a=b%20c"
    assert environ["REQUEST_URI"] == "/app/environ?a=b%20c"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    assert environ["HTTP_X_OWN"] == "1"
    assert environ["SERVER_PORT"] == str(front.port)


@pytest.mark.parametrize("size", [1, 65537, 1 << 20])
def test_a_body_arrives(front: FrontEnd, size: int) -> None:
    body = os.urandom(size)
    assert front.post("/app/echo", body).body == body


def test_a_body_in_chunks_arrives(front: FrontEnd) -> None:
    assert front.post("/app/echo", iter([b"one", b"two"])).body == b"onetwo"


def test_a_large_body_that_is_not_wanted_costs_no_answer(front: FrontEnd) -> None:
    answer = front.post("/app/ignore", bytes(1 << 20))
    assert (answer.status, answer.body) == (403, b"not read\n")


def test_an_answer_that_begins_before_the_body_is_read_is_no_knot(
    front: FrontEnd,
) -> None:
    assert len(front.post("/app/big?size=300000", bytes(1 << 20)).body) == 300_000


def test_a_head_has_no_body(front: FrontEnd) -> None:
    answer = front.ask("HEAD", "/app/hello")
    assert (answer.status, answer.body) == (200, b"")


def test_an_error_shows_nothing_to_the_client(front: FrontEnd) -> None:
    answer = front.get("/app/fail")
    assert (answer.status, answer.body) == (500, b"500 Internal Server Error\n")
    assert "failed on purpose" in front.log


def test_nobody_sets_a_proxy(front: FrontEnd) -> None:
    answer = front.get("/app/environ", ("Proxy", "http://evil.test"))
    assert b"evil.test" not in answer.body
