"""prefork exec with programs that people run, under load through nginx."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from signal import SIGHUP, SIGKILL, SIGSTOP

import pytest
from serving import Load, eventually
from serving.front_end import FrontEnd
from serving.keeper import Keeper
from serving.make import SBIN
from serving.makes.nginx import NGINX, configure

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]

PHP = """<?php header("Content-Type: text/plain"); echo getmypid(); ?>"""
PERL = """\
use FCGI;
my $request = FCGI::Request();
while ($request->Accept() >= 0) {
    print "Content-Type: text/plain\\r\\n\\r\\n$$";
}
"""
SHELL = """\
#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n%s' $PPID
"""
FLUP = """\
import os
from flup.server.fcgi_single import WSGIServer

def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]

WSGIServer(application).run()
"""


@dataclass(frozen=True, slots=True)
class Kind:
    """A program, and the file that it runs, or runs for each request."""

    command: Callable[[Path], list[str]]
    file: str = "it"
    text: str = ""
    options: tuple[str, ...] = ()


KINDS = {
    "libfcgi": Kind(lambda path: [str(path.with_name("kept"))]),
    "libfcgi over TCP": Kind(
        lambda path: [str(path.with_name("kept"))], options=("-b", "127.0.0.1:0")
    ),
    "php-cgi": Kind(lambda path: ["php-cgi"], "it.php", PHP),
    "perl": Kind(lambda path: ["perl", str(path)], "it.pl", PERL),
    "fcgiwrap": Kind(lambda path: ["fcgiwrap"], "it.sh", SHELL),
    "flup": Kind(
        lambda path: [sys.executable, "-W", "ignore", str(path)],
        *("it.py", FLUP, ("--retire-signal", "TERM")),
    ),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """A program that is kept, and nginx before it."""

    keeper: Keeper
    front: FrontEnd
    path: str


@pytest.fixture(params=KINDS)
def kept(keeper: Keeper, request: pytest.FixtureRequest) -> Iterator[Kept]:
    kind = KINDS[request.param]
    _need(request.param)
    if request.param.startswith("libfcgi"):
        shutil.copy(request.getfixturevalue("program"), keeper.directory / "kept")
    with _keep(keeper, kind, "-w", "3") as kept:
        yield kept


@pytest.fixture
def sleeping_php(keeper: Keeper) -> Iterator[Kept]:
    """Pages that take a while, and one copy for a start."""
    _need("php-cgi")
    kind = replace(KINDS["php-cgi"], text="<?php usleep(300000); ?>it has slept")
    with _keep(keeper, kind, "-w", "1:4", "--idle-timeout", "1") as kept:
        yield kept


@contextmanager
def _keep(keeper: Keeper, kind: Kind, *options: str) -> Iterator[Kept]:
    path = keeper.directory / kind.file
    path.write_text(kind.text)
    path.chmod(0o755)
    keeper.keep(*kind.command(path), options=(*options, *kind.options))
    root = str(keeper.directory)

    def configure_it(directory: Path, snippet: str, place: str, port: int) -> str:
        """As recommended, but for any program, with its file beside the socket."""
        snippet = snippet.replace("/srv/www", root).replace(r"~ \.php$", "/")
        return configure(directory, snippet, place, port)

    make = replace(NGINX, configure=configure_it)
    with FrontEnd(make, "exec", keeper.place) as front:
        yield Kept(keeper, front, f"/{kind.file}")


def _need(program: str) -> None:
    if NGINX.path is None:
        pytest.skip("no nginx")
    if program.startswith("libfcgi"):
        return  # it is compiled
    if program == "flup":
        pytest.importorskip("flup")
    elif shutil.which(program, path=SBIN) is None:
        pytest.skip(f"no {program}")
    elif program == "perl" and os.system("perl -MFCGI -e 1 2>/dev/null"):
        pytest.skip("no libfcgi-perl")


def test_no_request_is_lost_but_those_of_a_copy_that_is_killed(kept: Kept) -> None:
    keeper = kept.keeper
    with Load(kept.front, clients=4, paths=[kept.path]) as load:
        _wait_for_more(load)
        before = keeper.copies()
        keeper.signal(SIGHUP)
        keeper.wait_log("ready workers=3 generation=1")
        eventually(lambda: _are_new(keeper, before), within=30)
        _wait_for_more(load)
        assert keeper.control("scale", "+2").returncode == 0
        eventually(lambda: len(keeper.copies()) == 5)
        assert keeper.control("scale", "2").returncode == 0
        eventually(lambda: len(keeper.copies()) == 2)
        _wait_for_more(load)
        before = keeper.copies()
        assert keeper.control("upgrade").returncode == 0
        eventually(lambda: _are_new(keeper, before, count=2), within=30)
        _wait_for_more(load)
        assert load.failures == []
        eventually(lambda: _kill_one(keeper))
        keeper.wait_log("lost worker cause=.SIGKILL from outside. ")
        eventually(lambda: len(keeper.copies()) == 2)
        _wait_for_more(load)
    assert len(load.failures) <= 1
    assert keeper.logged("lost worker") == 1
    assert keeper.stop() == 0


def test_pages_that_sleep_bring_more_copies_and_quiet_brings_less(
    sleeping_php: Kept,
) -> None:
    keeper = sleeping_php.keeper
    assert len(keeper.copies()) == 1
    with Load(sleeping_php.front, clients=4, paths=[sleeping_php.path]) as load:
        eventually(lambda: len(keeper.copies()) >= 3, within=20)
        _wait_for_more(load, 20)
    eventually(lambda: len(keeper.copies()) <= 2, within=20)
    assert load.failures == []
    assert keeper.logged("lost worker") == 0


def _kill_one(keeper: Keeper) -> bool:
    """None that leaves in this very moment, as php-cgi does after 500 requests."""
    copy, *_ = eventually(keeper.copies)
    os.kill(copy, SIGSTOP)
    eventually(lambda: _state_of(copy) == "T", within=1)
    os.kill(copy, SIGKILL)
    return True


def _state_of(pid: int) -> str:
    """A letter: proc_pid_stat(5)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _wait_for_more(load: Load, more: int = 50) -> None:
    enough = load.answered + more
    eventually(lambda: load.answered >= enough, within=30)


def _are_new(keeper: Keeper, before: list[int], *, count: int = 3) -> bool:
    copies = keeper.copies()
    return len(copies) == count and not set(copies) & set(before)
