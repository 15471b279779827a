"""--reload: a change of a file is a reload, for who develops."""

import os
import resource
import signal
import time
from pathlib import Path

import pytest
from serving import Server, Site, eventually

from prefork.master.reactor import Reactor
from prefork.master.watcher import Watcher
from prefork.monitor.log import Log
from prefork.settings import Settings

pytestmark = pytest.mark.process


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


def start(server: Server, site: Site, *arguments: str) -> None:
    pytest.importorskip("watchfiles")
    server.start("-w", "1", "--reload", *arguments, app=site.app, env=site.env)
    eventually(lambda: watches(server))


def watches(server: Server, directory: Path | None = None) -> bool:
    """Is there a watcher, and does it watch that directory by now?"""
    if not (pid := titled(server, "watcher")):
        return False
    inode = (directory or server.directory).stat().st_ino
    # proc(5): a line for each watch, numbers in hexadecimal.
    descriptors = Path(f"/proc/{pid}/fdinfo").iterdir()
    return any(f" ino:{inode:x} " in each.read_text() for each in descriptors)


def titled(server: Server, words: str) -> int:
    found = (pid for pid, title in server.processes().items() if words in title)
    return next(found, 0)


def reloads(server: Server) -> int:
    return server.log.count("phase=check")


@pytest.mark.slow
def test_a_changed_module_is_served(server: Server, site: Site) -> None:
    start(server, site)
    site.publish("2")
    eventually(lambda: server.get("/version") == (200, b"2"))
    assert "files changed files=site_app.py" in server.log
    eventually(lambda: server.log.count("phase=commit") == 1)
    site.publish("3")
    eventually(lambda: server.get("/version") == (200, b"3"))


@pytest.mark.slow
def test_broken_code_is_shown_and_the_old_goes_on(server: Server, site: Site) -> None:
    """Behaviour 22: until it is corrected, which is noticed as well."""
    start(server, site)
    site.publish("2", "def broken(:")
    told = server.wait_log(r"reload failed phase=boot .*\n(  .*\n)+")
    assert "site_app.py" in told[0] and "SyntaxError" in told[0]
    assert server.get("/version") == (200, b"1")
    site.publish("3")
    eventually(lambda: server.get("/version") == (200, b"3"))


@pytest.mark.slow
def test_a_mistake_in_a_new_directory_can_be_corrected(
    server: Server, site: Site
) -> None:
    start(server, site)
    package = server.directory / "package"
    package.mkdir()
    (package / "__init__.py").write_text("def broken(:\n")
    site.publish("2", "import package")
    server.wait_log("reload failed phase=boot")
    eventually(lambda: watches(server, package))
    (package / "__init__.py").write_text("")
    eventually(lambda: server.get("/version") == (200, b"2"))


@pytest.mark.slow
def test_two_changes_within_a_second_are_one_reload(server: Server, site: Site) -> None:
    """Behaviour 33."""
    start(server, site)
    began = time.monotonic()
    site.publish("2")
    time.sleep(0.4)
    site.publish("3")
    was_late = time.monotonic() - began > 0.9  # it is not within a second then
    eventually(lambda: server.get("/version") == (200, b"3"))
    time.sleep(2)  # time enough for another
    assert reloads(server) <= 1 + was_late


@pytest.mark.slow
def test_other_files_by_their_names(server: Server, site: Site) -> None:
    pages = server.directory / "pages"
    (pages / "deep").mkdir(parents=True)
    (pages / "deep" / "a.html").write_text("one")
    start(server, site, "--reload-extra-file", "pages/**/*.html")
    (pages / "deep" / "notes.txt").write_text("nobody asks for it")
    (server.directory / "data.txt").write_text("nor for that")
    time.sleep(2)
    assert reloads(server) == 0
    (pages / "deep" / "a.html").write_text("two")
    eventually(lambda: server.log.count("phase=commit") == 1)
    (pages / "deep" / "b.html").write_text("new")
    eventually(lambda: server.log.count("phase=commit") == 2)


@pytest.mark.slow
def test_a_file_that_is_gone_is_one_reload(server: Server, site: Site) -> None:
    """Behaviour 33: and not one after the other."""
    touched = server.directory / "touch-me"
    touched.touch()
    start(server, site, "--reload-extra-file", "touch-me")
    touched.unlink()
    eventually(lambda: server.log.count("phase=commit") == 1)
    time.sleep(2.5)  # time enough for two more
    assert reloads(server) == 1
    touched.touch()
    eventually(lambda: server.log.count("phase=commit") == 2)


@pytest.mark.slow
def test_the_configuration_is_watched_too(server: Server, site: Site) -> None:
    site.configure(bind=["127.0.0.1:0"], reload=True, workers=1)
    pytest.importorskip("watchfiles")
    server.start(app=site.app, env=site.env, bind=None)
    eventually(lambda: watches(server))
    site.configure(bind=["127.0.0.1:0"], reload=True, workers=2)
    eventually(lambda: len(server.workers(2)) == 2)
    site.configure(bind=["127.0.0.1:0"], workers=1)  # no more watching, then
    eventually(lambda: len(server.workers(3)) == 1)
    eventually(lambda: not titled(server, "watcher"))


def test_the_watcher_dies_with_its_master(server: Server, site: Site) -> None:
    start(server, site)
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    eventually(lambda: not titled(server, "watcher"))
    eventually(lambda: not server.processes())


def test_the_watcher_stops_with_its_master(server: Server, site: Site) -> None:
    start(server, site)
    assert server.stop() == 0
    assert server.processes() == {}


@pytest.mark.slow
def test_a_watcher_that_dies_is_missed_and_no_more(server: Server, site: Site) -> None:
    start(server, site)
    os.kill(titled(server, "watcher"), signal.SIGKILL)
    told = server.wait_log(r"error cannot watch files.*\n.*")
    assert "the watcher died of SIGKILL" in told[0]
    site.publish("2")
    server.signal(signal.SIGHUP)
    eventually(lambda: server.get("/version") == (200, b"2"))
    eventually(lambda: watches(server))  # a reload begins it anew


def test_without_the_library_it_is_refused(server: Server, site: Site) -> None:
    """Behaviour 3: and what to do is said."""
    hides = server.directory / "sitecustomize.py"
    hides.write_text("import sys; sys.modules['watchfiles'] = None\n")
    root = Path(__file__).parents[2]
    server.start(
        "--reload",
        app=site.app,
        env={**site.env, "PYTHONPATH": f"{server.directory}:{root}"},
        wait=False,
    )
    assert server.wait() == 78
    assert "--reload: it needs watchfiles (pip install 'prefork[reload]')" in server.log


@pytest.mark.slow
def test_what_changes_while_it_is_imported_is_noticed(
    server: Server, site: Site
) -> None:
    """The watcher is told what to watch when the import is over."""
    pytest.importorskip("watchfiles")
    begun = server.directory / "begun"
    site.publish("1", "import os, time; os.mknod('begun'); time.sleep(1)")
    server.start("-w", "1", "--reload", app=site.app, env=site.env, wait=False)
    eventually(begun.exists)
    site.publish("2")
    server.wait_ready()
    eventually(lambda: server.get("/version") == (200, b"2"))
    eventually(lambda: server.log.count("phase=commit") == 1)
    assert reloads(server) == 1


class FakeLog(Log):
    def __init__(self) -> None:
        self.told: list[str] = []

    def error(self, event: str, **fields: object) -> None:
        self.told.append(f"{event}: {fields['text']}")


def test_without_descriptors_nothing_is_watched_and_all_else_goes_on() -> None:
    log = FakeLog()
    watcher = Watcher([], Reactor(), log, on_change=lambda: None)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        watcher.reconcile(Settings(reload=True), ["/no/such/place"], 0.0)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert log.told == ["cannot watch files: Too many open files"]
