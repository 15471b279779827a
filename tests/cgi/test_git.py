"""git over HTTP: clone, push and fetch through git-http-backend as a CGI program."""

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from serving import Server
from serving.front_end import FrontEnd
from serving.make import Make
from serving.makes.nginx import NGINX
from serving.pool import Pool

BACKEND = Path("/usr/lib/git-core/git-http-backend")

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.frontend,
    pytest.mark.skipif(not BACKEND.exists(), reason="git is not installed"),
    pytest.mark.skipif(not NGINX.path, reason="nginx is not installed"),
]

Serve = Callable[..., Server]
BIG = 3_000_000  # bytes that do not compress: git sends them in chunks


class Developer:
    """Somebody with a working copy and no settings of their own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir()

    def git(self, *words: object, at: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *map(str, words)],
            cwd=at or self.home,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.home),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_TERMINAL_PROMPT": "0",
                **{f"GIT_{who}_NAME": "A" for who in ("AUTHOR", "COMMITTER")},
                **{f"GIT_{who}_EMAIL": "a@b" for who in ("AUTHOR", "COMMITTER")},
            },
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def commit(self, copy: Path, *, size: int) -> str:
        (copy / f"file{size}").write_bytes(os.urandom(size))
        self.git("add", ".", at=copy)
        self.git("commit", "-qm", f"{size} bytes", at=copy)
        return self.git("rev-parse", "HEAD", at=copy)


@pytest.fixture
def developer(tmp_path: Path) -> Developer:
    return Developer(tmp_path / "home")


def make_repository(developer: Developer, root: Path) -> None:
    """`repo.git` in `root`, that anybody may push to, with many commits."""
    developer.git("init", "-q", "--bare", "-b", "main", root / "repo.git")
    bare = root / "repo.git"
    developer.git("config", "http.receivepack", "true", at=bare)
    first = developer.home / "first"
    developer.git("clone", "-q", bare, first)
    for size in range(1, 60):  # so that who fetches has much to say of what it has
        developer.git("commit", "-q", "--allow-empty", "-m", str(size), at=first)
    developer.commit(first, size=1000)
    developer.git("push", "-q", "origin", "HEAD:main", at=first)


def exercise(developer: Developer, url: str) -> None:
    """Clone twice, push something small and something big, fetch that."""
    one, other = developer.home / "one", developer.home / "other"
    developer.git("clone", "-q", url, one)
    developer.git("clone", "-q", url, other)
    for size in (500, BIG):
        developer.commit(one, size=size)
        developer.git("push", "-q", "origin", "HEAD:main", at=one)
    developer.commit(other, size=10)  # something that the server does not have
    developer.git("fetch", "-q", at=other)
    assert developer.git("rev-parse", "origin/main", at=other) == developer.git(
        "rev-parse", "HEAD", at=one
    )
    developer.git("fsck", "--strict", at=other)


def test_git_over_http(
    serve: Serve, server: Server, developer: Developer, tmp_path: Path
) -> None:
    make_repository(developer, tmp_path)
    variables = (f"GIT_PROJECT_ROOT={tmp_path}", "GIT_HTTP_EXPORT_ALL=1")
    settings = [word for each in variables for word in ("-e", each)]
    serve("-w", "2", *settings, app=str(BACKEND))
    exercise(developer, f"http://127.0.0.1:{server.port}/repo.git")
    assert "cannot answer" not in server.log and "program failed" not in server.log


def test_two_directories_up_is_no_repository(
    serve: Serve, server: Server, developer: Developer, tmp_path: Path
) -> None:
    make_repository(developer, tmp_path)
    (tmp_path / "inner").mkdir()
    variables = (f"GIT_PROJECT_ROOT={tmp_path}/inner", "GIT_HTTP_EXPORT_ALL=1")
    settings = [word for each in variables for word in ("-e", each)]
    serve("-w", "1", *settings, app=str(BACKEND))
    target = "/%2e%2e/repo.git/info/refs?service=git-upload-pack"
    assert server.get(target)[0] in (400, 403)


@pytest.fixture
def pool() -> Iterator[Pool]:
    """A server that nginx can reach, which runs as nobody."""
    pool = Pool()
    yield pool
    print(pool.log)
    assert not pool.clean_up()


def begin(pool: Pool, *arguments: str, app: str = "") -> str:
    """Start prefork-cgi in FastCGI; its place."""
    place = f"unix:{pool.directory}/cgi.sock"
    pool.start(
        *("-w", "2", "--socket-mode", "666", *arguments),
        app=app,
        bind=f"fastcgi+{place}",
        program="prefork.cli.cgi",
    )
    return place


def serving_from(root: Path) -> Make:
    """nginx with its repositories elsewhere."""

    def configure(directory: Path, snippet: str, place: str, port: int) -> str:
        snippet = snippet.replace("/srv/git", str(root))
        return NGINX.configure(directory, snippet, place, port)

    return replace(NGINX, configure=configure)


def test_git_behind_nginx(pool: Pool, developer: Developer, tmp_path: Path) -> None:
    """The snippet of contrib, which names the program by SCRIPT_FILENAME."""
    make_repository(developer, tmp_path)
    place = begin(pool, "--wrap", "-p", str(BACKEND.parent))
    with FrontEnd(serving_from(tmp_path), "cgi", place) as front:
        exercise(developer, f"http://127.0.0.1:{front.port}/git/repo.git")
        assert front.get("/cgi-bin/a.cgi").status == 404


def test_git_behind_nginx_in_a_directory(
    pool: Pool, developer: Developer, tmp_path: Path
) -> None:
    """The snippet for an application: the directory says what a path means."""
    make_repository(developer, tmp_path)
    programs = pool.directory / "programs"
    programs.mkdir()
    (programs / "git").symlink_to(BACKEND)
    variables = (f"GIT_PROJECT_ROOT={tmp_path}", "GIT_HTTP_EXPORT_ALL=1")
    settings = [word for each in variables for word in ("-e", each)]
    place = begin(pool, *settings, "-p", str(BACKEND), app=str(programs))
    with FrontEnd(NGINX, "fastcgi", place) as front:
        exercise(developer, f"http://127.0.0.1:{front.port}/git/repo.git")


def test_a_program_that_is_not_allowed_is_not_run(pool: Pool) -> None:
    place = begin(pool, "--wrap", "-p", "/usr/share")
    with FrontEnd(NGINX, "cgi", place) as front:
        assert front.get("/git/repo.git/HEAD").status == 403
