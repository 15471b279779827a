"""Who the processes are: user, group, umask, session, title, pid file."""

import grp
import os
import pwd
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server, eventually

pytestmark = pytest.mark.process
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another")


def status_of(pid: int) -> dict[str, list[str]]:
    """/proc/PID/status: name → words."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: rest.split() for name, _, rest in (x.partition(":") for x in lines)}


@as_root
def test_workers_and_templates_are_the_user_that_was_named(server: Server) -> None:
    """Behaviour 80: the master stays who it was."""
    nobody = pwd.getpwnam("nobody")
    server.start("-w", "2", "-u", "nobody", "--umask", "027", app="plain:wsgi")
    uid, gid = [str(nobody.pw_uid)] * 4, [str(nobody.pw_gid)] * 4
    for pid in (server.template(), *server.workers()):
        status = status_of(pid)
        assert (status["Uid"], status["Gid"]) == (uid, gid)
        assert status["Groups"] == [str(nobody.pw_gid)]
        assert status["Umask"] == ["0027"]
        assert {status[name][0] for name in ("CapEff", "CapPrm")} == {"0" * 16}
    assert status_of(server.pid)["Uid"] == ["0"] * 4
    assert status_of(server.pid)["Umask"] != ["0027"]
    assert server.get("/")[0] == 200
    assert server.stop() == 0


@as_root
def test_a_worker_cannot_become_root_again(server: Server) -> None:
    """Behaviour 80."""
    server.start("-w", "1", "-u", "nobody", app="plain:wsgi")
    assert server.get("/become-root") == (200, b"PermissionError\n")


@as_root
def test_a_group_can_be_named_alone(server: Server) -> None:
    """Behaviour 80."""
    server.start("-w", "1", "-g", "nogroup", app="plain:wsgi")
    status = status_of(server.workers()[0])
    assert status["Uid"] == ["0"] * 4
    assert status["Gid"] == [str(grp.getgrnam("nogroup").gr_gid)] * 4


@as_root
def test_workers_of_another_user_survive_a_reload_and_die_with_the_master(
    server: Server,
) -> None:
    """Behaviour 80: a change of user must not disarm anything."""
    server.start("-w", "2", "-u", "nobody", app="plain:wsgi")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    eventually(lambda: len(server.workers(2)) == len(server.workers()) == 2)
    server.signal(signal.SIGKILL)
    server.wait()
    eventually(lambda: server.processes() == {}, within=5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may become anybody")
def test_who_is_not_root_cannot_name_another_user(server: Server) -> None:
    server.start("-u", "root", wait=False)
    assert server.wait() == 1


def test_titles_say_who_is_who(server: Server) -> None:
    server.start("-w", "2")
    assert set(server.processes().values()) == {
        "prefork: master [app:wsgi]",
        "prefork: template gen 1 [app:wsgi]",
        "prefork: worker 0 gen 1 [app:wsgi]",
        "prefork: worker 1 gen 1 [app:wsgi]",
    }


def test_titles_can_be_set_whatever_the_environment_begins_with(
    server: Server,
) -> None:
    """They are written where it was, and $PWD may be corrected at start."""
    server.start("-w", "1", env={"PWD": "/nowhere"})
    assert "prefork: master [app:wsgi]" in server.processes().values()


def test_titles_say_the_name_that_was_given(server: Server) -> None:
    server.start("-w", "1", "-n", "shop")
    assert all(title.endswith(" [shop]") for title in server.processes().values())


# -D


def start_daemon(server: Server, *arguments: str, app: str = "app:wsgi") -> int:
    """Start with -D and -p; the exit status of what the shell has started."""
    pid_file = server.directory / "pid"
    server.start("-D", "-p", str(pid_file), *arguments, app=app, wait=False)
    return server.wait()


def test_a_daemon_is_ready_when_the_shell_goes_on(server: Server) -> None:
    assert start_daemon(server, "-w", "2") == 0
    pid = int((server.directory / "pid").read_text())
    port = re.search(r"listening on=http://127.0.0.1:(\d+)", server.log)
    assert port
    server.port = int(port[1])
    assert server.get("/")[0] == 200
    assert server.processes()[pid] == "prefork: master [app:wsgi]"
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    terminal, session = fields[4], int(fields[3])
    assert terminal == "0" and session not in (pid, os.getsid(0))
    os.kill(pid, signal.SIGTERM)
    eventually(lambda: server.processes() == {})
    assert not (server.directory / "pid").exists()


def test_a_daemon_that_cannot_start_says_so_to_the_shell(server: Server) -> None:
    assert start_daemon(server, app="broken:wsgi") == 70
    assert "RuntimeError: broken on purpose" in server.log
    eventually(lambda: server.processes() == {})
    assert not (server.directory / "pid").exists()


def test_a_daemon_lets_go_of_the_terminal_s_pipes(server: Server) -> None:
    """`prefork-wsgi -D … | cat` comes to an end."""
    command = [sys.executable, "-m", "prefork.cli.wsgi", "-D", "-w", "1"]
    command += ["-p", str(server.directory / "pid"), "-b", "127.0.0.1:0", "app:wsgi"]
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": f"{root}:{root}/tests/programs"}
    done = subprocess.run(
        command,
        capture_output=True,
        cwd=server.directory,
        env=environment,
        timeout=20,
        check=True,
    )
    assert b"started worker" in done.stderr
    os.kill(int((server.directory / "pid").read_text()), signal.SIGTERM)
    eventually(lambda: server.processes() == {})
