"""Apache starts prefork-wsgi itself, by mod_fcgid, with contrib's snippet."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from signal import SIGUSR1

import pytest
from serving.eventually import eventually
from serving.front_end import FrontEnd, find_python
from serving.make import CONTRIB
from serving.makes.apache import APACHE, AROUND, MODULES
from serving.pool import Pool

pytestmark = [pytest.mark.process, pytest.mark.frontend, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "tests" / "programs"
MODULE = Path("/usr/lib/apache2/modules/mod_fcgid.so")
INSTALLED = "/srv/app/venv/bin/prefork-wsgi"
NEEDED = "import psutil, setproctitle"


def configure(directory: Path, snippet: str, place: str, port: int) -> str:
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in f"{MODULES} fcgid".split()
    )
    modules += f"\nFcgidIPCDir {directory}\nFcgidProcessTableFile {directory}/table"
    snippet = snippet.replace("*:80", f"*:{port}").replace(INSTALLED, place)
    snippet = snippet.replace("/srv/app", str(PROGRAMS))
    return AROUND.format(
        directory=directory, modules=modules, port=port, snippet=snippet
    )


@pytest.fixture
def started() -> Iterator[Pool]:
    """What Apache will start: nothing yet."""
    pool = Pool()
    yield pool
    left = pool.clean_up()
    assert not left, f"left behind: {left}"


@pytest.fixture
def front(started: Pool) -> Iterator[FrontEnd]:
    python = find_python()
    if not APACHE.path or not MODULE.exists():
        pytest.skip("mod_fcgid is not installed")
    if subprocess.run([python, "-c", NEEDED], check=False, stderr=-3).returncode:
        pytest.skip(f"{python} has no psutil or setproctitle")
    launcher = started.directory / "prefork-wsgi"
    launcher.write_text(
        f"#!/bin/sh\nexport PYTHONPATH={ROOT} TEST_RUN={started.mark}\n"
        f'exec {shlex.quote(python)} -m prefork.cli.wsgi "$@"\n'
    )
    launcher.chmod(0o755)
    make = replace(APACHE, configure=configure)
    with FrontEnd(make, "fcgid", str(launcher)) as front:
        yield front
        print(f"--- apache ---\n{front.log}")


def environ_of(body: bytes) -> dict[str, str]:
    return dict(re.findall(r"(?m)^([\w.]+)='(.*)'$", body.decode()))


def test_the_snippet_is_for_where_the_program_is() -> None:
    assert INSTALLED in (CONTRIB / "apache" / "fcgid.conf").read_text()


def test_requests_are_answered_by_servers_that_it_starts(front: FrontEnd) -> None:
    environ = environ_of(front.get("/environ?a=b%20c").body)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == ("", "/environ")
    assert environ["REQUEST_URI"] == "/environ?a=b%20c"
    assert environ["REMOTE_ADDR"] == "127.0.0.1"
    body = bytes(range(256)) * 4096
    assert front.post("/echo", body).body == body
    with ThreadPoolExecutor(3) as clients:
        answers = clients.map(front.get, ["/sleep?s=0.5"] * 3)
        assert [answer.status for answer in answers] == [200] * 3
    assert "listening on=fastcgi+unix:" in front.log


def last_family(front: FrontEnd) -> list[Path]:
    """Master, template and worker of the server that was started last."""
    master = re.findall(r"started master pid=(\d+)", front.log)[-1]
    children = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    assert len(children) == 2
    return [Path("/proc", pid) for pid in (master, *children)]


def are_gone(family: list[Path]) -> bool:
    return not any(each.exists() for each in family)


def test_a_graceful_restart_leaves_nobody_behind(front: FrontEnd) -> None:
    assert front.get("/hello").body == b"hello\n"
    first = last_family(front)
    front.signal(SIGUSR1)
    eventually(lambda: are_gone(first), within=20)
    eventually(lambda: front.get("/hello").body == b"hello\n", within=20)
    second = last_family(front)
    assert first != second
    front.end()
    eventually(lambda: are_gone(second), within=20)
    assert front.log.count("stopped master") == 2


def test_what_is_asked_is_answered_before_the_end(front: FrontEnd) -> None:
    with ThreadPoolExecutor(1) as clients:
        answer = clients.submit(front.get, "/sleep?s=1&say=sleeping")
        eventually(lambda: "sleeping" in front.log, within=20)
        front.signal(SIGUSR1)
        assert answer.result(20).body == b"slept\n"
    eventually(lambda: "stopped master" in front.log, within=20)
