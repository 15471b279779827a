"""Which settings a reload changes, and which need a restart."""

import signal

import pytest
from serving import Server, Site, eventually

pytestmark = pytest.mark.process


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


def reload(server: Server) -> None:
    commits = server.log.count("commit")
    server.signal(signal.SIGHUP)
    eventually(lambda: server.log.count("commit") > commits)


def test_a_setting_that_needs_a_restart_is_ignored_aloud(
    server: Server, site: Site
) -> None:
    site.configure(workers=1, pid=str(server.directory / "pid"))
    server.start(app=site.app, env=site.env)
    site.configure(
        workers=2,
        pid=str(server.directory / "elsewhere"),
        error_logfile=str(server.directory / "error.log"),
    )
    for number in (1, 2):
        reload(server)
        for name in ("pid", "error_logfile"):
            line = f'warning ignored setting name={name} reason="needs a restart"'
            assert server.log.count(line) == number
    assert server.log.count("ignored setting") == 4
    eventually(lambda: len(server.workers()) == 2)
    assert (server.directory / "pid").exists()
    assert not (server.directory / "elsewhere").exists()
    assert server.stop() == 0


def test_a_socket_file_and_the_titles_change_with_a_reload(
    server: Server, site: Site
) -> None:
    path = server.directory / "app.sock"
    site.configure(workers=1, bind=[f"unix:{path}"])
    server.start(app=site.app, env=site.env, bind=None)
    assert path.stat().st_mode & 0o777 == 0o660
    site.configure(workers=1, bind=[f"unix:{path}"], socket_mode="0600", name="shop")
    inode = path.stat().st_ino
    reload(server)
    assert (path.stat().st_ino, path.stat().st_mode & 0o777) == (inode, 0o600)
    titles = server.processes()
    assert titles[server.pid] == "prefork: master [shop]"
    assert titles[server.template()] == "prefork: template gen 2 [shop]"
    assert server.stop() == 0


def test_the_master_s_own_log_changes_with_a_reload(server: Server, site: Site) -> None:
    site.configure(workers=1)
    server.start(app=site.app, env=site.env)
    assert " debug " not in server.log
    site.configure(workers=1, log_format="json", log_level="debug")
    reload(server)
    site.configure(workers=1, log_level="warning")
    reload(server)
    server.wait_log('"level":"debug","event":"loaded application"')
    so_far = len(server.log)
    server.signal(signal.SIGTTOU)
    server.wait_log(" warning cannot scale")
    assert " info " not in server.log[so_far:]
    assert server.stop() == 0


def test_a_reload_that_fails_leaves_the_log_as_it_was(
    server: Server, site: Site
) -> None:
    site.configure(workers=1)
    server.start(app=site.app, env=site.env)
    site.configure(workers=1, log_format="json")
    site.publish("2", more="1 / 0")
    server.signal(signal.SIGHUP)
    server.wait_log("error reload failed")
    assert server.stop() == 0
    assert "info stopped master" in server.log
    assert "{" not in server.log.splitlines()[-1]


@pytest.mark.slow
def test_a_configuration_may_be_long(server: Server, site: Site) -> None:
    """Longer than any message between processes, at the start and at a reload."""
    variables = "".join(f'V{number} = "{"x" * 2000}"\n' for number in range(400))
    path = server.directory / "prefork.toml"
    path.write_text(f"workers = 1\n[env]\n{variables}")
    server.start(app=site.app, env=site.env)
    path.write_text(f'workers = 2\n[env]\n{variables}LAST = "{"é" * 9000}"\n')
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    eventually(lambda: len(server.workers(2)) == len(server.workers()) == 2)
    path.write_text(f'[env]\nLAST = "{"x" * (1 << 20)}"\n')
    server.signal(signal.SIGHUP)
    server.wait_log("prefork.toml: it is longer than 1 MB")
    assert server.stop() == 0
