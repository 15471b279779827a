"""A release that is switched by turning a link, and the old one deleted."""

import os
import shutil
import signal
from pathlib import Path

import pytest
from serving import Load, Server, Site, eventually

pytestmark = pytest.mark.process


class Releases:
    """A directory of releases, and `current`, which leads to one of them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.current = directory / "current"

    def publish(self, version: str, configuration: str = "") -> Path:
        release = self._directory / f"release-{version}"
        release.mkdir()
        Site(release).publish(version)
        (release / "prefork.toml").write_text(configuration)
        link = self._directory / "next"
        link.symlink_to(release, target_is_directory=True)
        link.replace(self.current)
        return release


@pytest.fixture
def releases(server: Server) -> Releases:
    return Releases(server.directory)


def start(server: Server, releases: Releases, *arguments: str) -> None:
    env = {**Site.env, "PWD": os.fspath(releases.current)}  # as a shell would
    server.start(*arguments, app=Site.app, env=env, cwd=releases.current)


def reload(server: Server) -> None:
    before = server.log.count("phase=commit")
    server.signal(signal.SIGHUP)
    eventually(lambda: server.log.count("phase=commit") > before)


@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_the_new_generation_sees_the_new_target(
    server: Server, releases: Releases, preload: str
) -> None:
    """Behaviour 32: its code and its configuration."""
    old = releases.publish("1", "workers = 1\n")
    start(server, releases, preload)
    assert server.get("/version") == (200, b"1")
    with Load(server, clients=2, paths=["/version"]) as load:
        releases.publish("2", "workers = 2\n")
        reload(server)
        shutil.rmtree(old)
        releases.publish("3", "workers = 3\n")
        reload(server)
    assert load.failures == []
    assert server.get("/version") == (200, b"3")
    assert len(server.workers(3)) == 3


def test_a_server_whose_release_was_deleted_goes_on(
    server: Server, releases: Releases
) -> None:
    """Behaviour 32: it replaces workers and templates as ever."""
    old = releases.publish("1", "workers = 2\n")
    start(server, releases)
    releases.publish("2", "workers = 2\n")
    shutil.rmtree(old)
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_log("error lost worker")
    eventually(lambda: len(server.workers()) == 2)
    template = server.template()
    os.kill(template, signal.SIGKILL)
    eventually(lambda: server.template() not in (0, template))
    assert server.get("/version") == (200, b"1")
    server.signal(signal.SIGUSR1)
    reload(server)
    assert server.get("/version") == (200, b"2")
    assert server.stop() == 0


def test_a_link_that_leads_nowhere_undoes_the_reload(
    server: Server, releases: Releases
) -> None:
    releases.publish("1")
    start(server, releases, "-w", "1")
    releases.current.unlink()
    server.signal(signal.SIGHUP)
    told = server.wait_log(r"reload failed phase=check .*\n.*")
    assert f"cannot go to {releases.current}: No such file" in told[0]
    assert server.get("/version") == (200, b"1")


def test_a_name_that_is_not_ours_is_not_believed(
    server: Server, releases: Releases, tmp_path: Path
) -> None:
    """Whoever has started us may have gone elsewhere without telling PWD."""
    release = releases.publish("1")
    env = {**Site.env, "PWD": os.fspath(tmp_path)}
    server.start("-w", "1", app=Site.app, env=env, cwd=releases.current)
    releases.publish("2")
    reload(server)
    assert server.get("/version") == (200, b"1")
    assert release.exists()
