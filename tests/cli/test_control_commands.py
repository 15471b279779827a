"""The commands that talk to a running master, as an operator types them."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from serving import Server, Site, eventually

from prefork.cli import list as list_command
from prefork.cli.calling import find_masters

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[2]
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"

Result = subprocess.CompletedProcess[str]


def run(*arguments: str, **more: object) -> Result:
    command = [sys.executable, "-m", "prefork.cli.control", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        command, env=environment, capture_output=True, text=True, check=False, **more
    )


def prefork(server: Server, command: str, *arguments: str) -> Result:
    return run(command, *arguments, "--pid", str(server.pid))


# Which master


def test_without_such_a_master_a_command_exits_1(server: Server) -> None:
    for command in ("status", "top", "reload", "stop", "reopen", "dump"):
        result = run(command, "--pid", "1")
        assert result.returncode == 1
        said = f"prefork {command}: no master with pid 1 listens to this user ("
        assert result.stderr.startswith(said)


def test_one_that_listens_elsewhere_is_found_there_alone(server: Server) -> None:
    path, pid_file = server.directory / "control", server.directory / "server.pid"
    server.start("-w", "1", "--control", str(path), "-p", str(pid_file))
    for choice in (("--pid", str(server.pid)), ("--pidfile", str(pid_file))):
        result = run("status", *choice)
        assert result.returncode == 1
        assert f"no master with pid {server.pid} listens" in result.stderr
        assert "--control PATH" in result.stderr
    assert run("status", "--control", str(path)).returncode == 0


def test_a_pid_file_names_it(server: Server) -> None:
    path = server.directory / "server.pid"
    server.start("-w", "1", "-p", str(path))
    result = run("status", "--json", "--pidfile", str(path))
    assert json.loads(result.stdout)["pid"] == server.pid


@pytest.mark.parametrize(
    ("content", "said"),
    [(None, "cannot read server.pid: No such file"), ("soon\n", "there is no pid in")],
)
def test_a_pid_file_that_names_none(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "server.pid").write_text(content)
    result = run("status", "--pidfile", "server.pid", cwd=tmp_path)
    assert result.returncode == 1
    assert said in result.stderr


@pytest.mark.parametrize("control", ["control", "@test/%d"])
def test_its_control_socket_names_it(server: Server, control: str) -> None:
    where = control % os.getpid() if "%" in control else control
    server.start("-w", "1", "--control", where)
    result = run("status", "--json", "--control", where, cwd=server.directory)
    assert json.loads(result.stdout)["pid"] == server.pid


def test_of_several_one_has_to_be_chosen(server: Server, tmp_path: Path) -> None:
    second = Server(tmp_path / "second")
    second.directory.mkdir()
    try:
        server.start("-w", "1", "-n", "first-shop")
        second.start("-w", "1", "-n", "second-shop")
        result = run("status")
        assert result.returncode == 1
        assert "several masters run; choose one" in result.stderr
        assert f"--pid {server.pid}  first-shop" in result.stderr
        assert f"--pid {second.pid}  second-shop" in result.stderr
    finally:
        second.stop()
        assert not second.clean_up()


def test_two_ways_to_name_it_are_one_too_many() -> None:
    result = run("stop", "--pid", "1", "--control", "x")
    assert result.returncode == 2
    assert "not allowed with" in result.stderr


@pytest.mark.slow
def test_a_master_that_is_stopped_is_said_to_be(
    server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from prefork.cli import calling, status

    server.start("-w", "1")
    monkeypatch.setattr(calling, "TIMEOUT", 0.3)
    server.signal(signal.SIGSTOP)
    try:
        assert status.main(["--pid", str(server.pid)]) == 1
    finally:
        server.signal(signal.SIGCONT)
    assert "does not answer: is it stopped?" in capsys.readouterr().err


# Looking


def test_list_says_when_there_is_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a head of a table, and it is no error."""
    monkeypatch.setattr("prefork.cli.list.find_masters", list)
    assert list_command.main([]) == 0
    assert capsys.readouterr() == ("", "no master runs that listens to this user\n")


def test_list_has_a_line_for_each(server: Server) -> None:
    server.start("-w", "2", "-n", "shop")
    result = run("list")
    assert result.returncode == 0
    head, *lines = result.stdout.splitlines()
    assert head.split()[:2] == ["PID", "NAME"]
    (line,) = (line for line in lines if line.split()[0] == str(server.pid))
    assert line.split()[1:5] == ["shop", "serving", "2/2", "1"]
    assert line.endswith(f"http://127.0.0.1:{server.port}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_one_that_would_not_listen_is_none(server: Server) -> None:
    """Of one of root's a user could only learn that it may not."""
    server.start("-w", "1")
    assert server.pid in [master.pid for master in find_masters()]
    pid = os.fork()
    if not pid:
        try:
            os.setuid(65534)
            os._exit(server.pid in [master.pid for master in find_masters()])
        finally:
            os._exit(2)
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0


def in_a_namespace(command: list[str]) -> list[str]:
    """As a container has it: the first process there has the pid 1."""
    return ["unshare", "--pid", "--fork", "--kill-child", "--", *command]


def test_a_master_in_a_container_is_known_by_the_pid_that_it_has_here(
    tmp_path: Path,
) -> None:
    probe = subprocess.run(in_a_namespace(["true"]), capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("cannot make a pid namespace")
    (tmp_path / "app.py").write_text("def wsgi(environ, start): ...\n")
    name = f"shop-{os.getpid()}"
    command = [sys.executable, "-m", "prefork.cli.wsgi", "-w", "1", "-n", name]
    container = subprocess.Popen(
        in_a_namespace([*command, "-b", "127.0.0.1:0", "app:wsgi"]),
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: re.search(rf"{name} +serving", run("list").stdout))
        (line,) = (each for each in run("list").stdout.splitlines() if name in each)
        pid = line.split()[0]
        assert pid != "1"
        status = run("status", "--pid", pid).stdout
        assert f"{name}: serving, pid 1," in status
        assert re.search(r"^ +0 .* - *$", status, re.MULTILINE), "the RSS of another"
        assert run("stop", "--pid", pid).returncode == 0
        assert container.wait(timeout=10) == 0
    finally:
        container.kill()
        container.wait()


def test_status_is_a_head_and_a_table(server: Server) -> None:
    server.start("-w", "2", "-n", "shop")
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        server.wait_log("asleep")
        result = prefork(server, "status")
    assert (result.returncode, result.stderr) == (0, "")
    head, table = result.stdout.split("\n\n")
    assert head.startswith(f"shop: serving, pid {server.pid}, up ")
    assert f"http://127.0.0.1:{server.port}, 0 in the queue" in head
    assert "2 of 2 serve, 1 busy" in head
    names, *rows = table.splitlines()
    assert names.split()[:4] == ["SLOT", "PID", "GEN", "STATE"]
    assert sorted(row.split()[3] for row in rows) == ["busy", "idle"]
    (busy,) = (row for row in rows if " busy " in row)
    assert busy.endswith("GET /sleep?s=60&say=asleep")


def test_status_cannot_disturb_the_terminal(server: Server) -> None:
    server.start("-w", "1", "-n", "\x1b]0;owned\x07")
    for command in ("status", "top"):
        result = prefork(server, command)
        assert "\\x1b]0;owned\\x07" in result.stdout
        assert not {"\x1b", "\x07"} & set(result.stdout)


def test_status_of_a_failed_reload_tells_the_reason(server: Server) -> None:
    site = Site(server.directory)
    server.start("-w", "1", app=site.app, env=site.env)
    site.publish("2", "1 / 0")
    server.signal(signal.SIGHUP)
    server.wait_log("reload failed")
    eventually(lambda: "failed" in prefork(server, "status").stdout)
    text = prefork(server, "status").stdout
    assert "in phase boot: ZeroDivisionError: division by zero" in text


# Reload


@pytest.fixture
def site(server: Server) -> Site:
    site = Site(server.directory)
    server.start("-w", "2", app=site.app, env=site.env)
    return site


def test_reload_shows_the_phases_and_exits_0(server: Server, site: Site) -> None:
    site.publish("2")
    result = prefork(server, "reload")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "reading the configuration"
    assert lines[-2].startswith("replacing workers: ")
    assert lines[-1].startswith("generation 2 serves, after ")
    assert server.get("/version") == (200, b"2")


def test_reload_of_broken_code_prints_its_traceback_and_exits_70(
    server: Server, site: Site
) -> None:
    site.publish("2", "1 / 0")
    result = prefork(server, "reload")
    assert result.returncode == 70
    said, *traceback = result.stderr.splitlines()
    assert said == (
        "prefork reload: failed in phase boot; the old code goes on serving"
    )
    assert traceback[-1].strip() == "ZeroDivisionError: division by zero"
    assert server.get("/version") == (200, b"1")


def test_reload_of_bad_configuration_exits_78(server: Server, site: Site) -> None:
    site.configure(workers="many")
    result = prefork(server, "reload")
    assert result.returncode == 78
    assert "prefork.toml:1: workers: 'many' is not a whole number" in result.stderr


def test_reload_need_not_wait(server: Server, site: Site) -> None:
    site.publish("2", site.held)
    assert prefork(server, "reload", "--no-wait").returncode == 0
    assert server.get("/version") == (200, b"1")
    site.release()
    eventually(lambda: server.get("/version") == (200, b"2"))


def test_an_interrupt_ends_the_waiting_not_the_reload(
    server: Server, site: Site
) -> None:
    site.publish("2", site.held)
    command = [sys.executable, "-m", "prefork.cli.control", "reload"]
    with subprocess.Popen(
        [*command, "--pid", str(server.pid)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "reading the configuration\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.read().endswith("the server goes on with it\n")
    assert process.returncode == 130
    site.release()
    eventually(lambda: server.get("/version") == (200, b"2"))


def test_a_master_that_dies_in_the_middle_exits_1(server: Server, site: Site) -> None:
    site.publish("2", "import time; time.sleep(60)")
    command = [sys.executable, "-m", "prefork.cli.control", "reload"]
    with subprocess.Popen(
        [*command, "--pid", str(server.pid)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        server.wait_log("phase=boot")
        server.signal(signal.SIGKILL)
        assert process.stderr is not None
        assert "the master has ended in the middle of it" in process.stderr.read()
    assert process.returncode == 1
    server.wait()
    eventually(lambda: not server.processes())


# Scale, dump, reopen, stop


@pytest.mark.parametrize(
    ("argument", "said"),
    [("+1", "3"), ("-1", "1"), ("5", "5"), ("1:3", "1:3")],
)
def test_scale(server: Server, argument: str, said: str) -> None:
    server.start("-w", "2")
    result = prefork(server, "scale", argument)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"workers: {said}, before 2\n"


@pytest.mark.parametrize("argument", ["0", "many", "3:1", "1:1:1", "600", "+"])
def test_scale_to_what_is_no_number_of_workers(argument: str) -> None:
    """Used wrongly, whether or not there is a master."""
    result = run("scale", argument)
    assert result.returncode == 2
    assert result.stderr.endswith(" (write 8, 2:8, +1 or -1)\n")


@pytest.mark.parametrize("argument", ["-2", "+600"])
def test_scale_to_what_cannot_be(server: Server, argument: str) -> None:
    server.start("-w", "2")
    result = prefork(server, "scale", argument)
    assert result.returncode == 1
    assert result.stderr.startswith("prefork scale: ")
    assert len(server.workers()) == 2


def test_dump(server: Server) -> None:
    server.start("-w", "2")
    result = prefork(server, "dump", "1")
    assert result.returncode == 0
    assert result.stdout.startswith("worker 1, pid ")
    server.wait_log("most recent call first")
    assert prefork(server, "dump", "7").returncode == 1


def test_reopen(server: Server) -> None:
    server.start("-w", "1", "--access-logfile", "access.log")
    (server.directory / "access.log").rename(server.directory / "access.log.1")
    result = prefork(server, "reopen")
    assert (result.returncode, result.stdout) == (0, "opened again: access.log\n")
    assert (server.directory / "access.log").exists()


def test_when_stop_returns_the_server_is_gone(server: Server) -> None:
    path = server.directory / "server.pid"
    server.start("-w", "2", "-p", str(path))
    result = prefork(server, "stop")
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == "2 workers to go, 0 busy"
    assert result.stdout.splitlines()[-1] == "stopped"
    assert not path.exists()
    assert server.wait(within=1) == 0


def test_stop_that_cuts_a_request_exits_75(server: Server) -> None:
    server.start("-w", "1")
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        server.wait_log("asleep")
        result = prefork(server, "stop", "--quick")
    assert result.returncode == 75
    assert result.stderr.endswith("requests cut: 1\n")
    assert server.wait() == 75


def test_stop_need_not_wait(server: Server) -> None:
    server.start("-w", "1")
    assert prefork(server, "stop", "--no-wait").returncode == 0
    assert server.wait() == 0
