"""Starting: either it serves, or it says why not and leaves nothing behind."""

import errno
import os
import re
import socket
import time
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGQUIT, SIGTERM

import pytest
from serving import Server, eventually

pytestmark = pytest.mark.process


def listen_somewhere() -> socket.socket:
    """Another program, that has a port of this machine."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("broken:wsgi", "RuntimeError: broken on purpose"),
        ("quits_at_import:wsgi", "SystemExit: no configuration for this application"),
        ("exits_at_import:wsgi", "while importing the application: exit code 3"),
        ("no_such_module:wsgi", "No module named 'no_such_module'"),
        ("app:no_such_callable", "no attribute 'no_such_callable'"),
        ("app:PATHS", "PATHS is a dict, which cannot be called"),
    ],
)
@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_an_application_that_cannot_be_loaded_exits_70(
    server: Server, app: str, reason: str, preload: str
) -> None:
    """Behaviour 2."""
    path = server.directory / "app.sock"
    server.start("-w", "3", preload, app=app, bind=f"unix:{path}", wait=False)
    assert server.wait() == 70
    if not (preload == "--no-preload" and app == "exits_at_import:wsgi"):
        assert server.log.count(reason) == 1
    assert server.log.count("cannot start") == 1
    assert server.log.count("Traceback") <= 1
    assert not path.exists()
    # A worker that is killed while its template forks it has nobody to wait for it.
    eventually(lambda: server.processes() == {})


def test_the_traceback_is_the_application_s_own(server: Server) -> None:
    """Behaviour 2."""
    server.start(app="broken:wsgi", wait=False)
    assert server.wait() == 70
    _, _, traceback = server.log.partition("Traceback (most recent call last):\n")
    assert "broken.py" in traceback.splitlines()[0]
    assert "importlib" not in traceback


@pytest.mark.slow
@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_an_import_that_hangs_is_dumped_and_ends_the_start(
    server: Server, preload: str
) -> None:
    server.start(
        "-w", "1", "--boot-timeout", "1", preload, app="hangs_at_import", wait=False
    )
    assert server.wait() == 70
    assert "in wait_for_the_database" in server.log
    assert server.processes() == {}


@pytest.mark.parametrize(
    ("argument", "text", "complaint"),
    [
        ("--workers=many", "", "--workers: 'many' is not a whole number"),
        ("--chdir=.", "timeout = 5\nwrokers = 3\n", "prefork.toml:2: wrokers:"),
        ("--bind=nowhere", "", "--bind: "),
    ],
)
def test_a_bad_setting_exits_78_and_names_itself(
    server: Server, argument: str, text: str, complaint: str
) -> None:
    """Behaviour 3."""
    if text:
        (server.directory / "prefork.toml").write_text(text)
    server.start(argument, wait=False)
    assert server.wait() == 78
    assert complaint in server.log


@pytest.mark.parametrize("user", ["no-such-user", "4294967295"])
def test_an_unknown_user_ends_the_start(server: Server, user: str) -> None:
    server.start("-u", user, wait=False)
    assert server.wait() == 78
    assert user in server.log
    assert server.processes() == {}


# Listeners


@pytest.mark.slow
def test_a_port_in_use_exits_1_and_touches_no_pid_file(server: Server) -> None:
    """Behaviour 4."""
    pid_file = server.directory / "pid"
    pid_file.write_text("12345\n")
    with listen_somewhere() as other:
        port = other.getsockname()[1]
        began = time.monotonic()
        server.start("-p", str(pid_file), bind=f"127.0.0.1:{port}", wait=False)
        assert server.wait() == 1
    assert time.monotonic() - began > 1.5  # it has tried more than once
    assert f"cannot bind 127.0.0.1:{port}: address already in use" in server.log
    assert pid_file.read_text() == "12345\n"


@pytest.mark.slow
def test_a_port_that_is_given_up_meanwhile_is_taken(server: Server) -> None:
    """Behaviour 4."""
    with listen_somewhere() as other:
        port = other.getsockname()[1]
        server.start(bind=f"127.0.0.1:{port}", wait=False)
        with pytest.raises(AssertionError, match="still running"):  # and trying
            server.wait(within=0.6)
    server.wait_ready()
    assert server.get()[0] == 200


@pytest.mark.parametrize("number", [SIGINT, SIGTERM, SIGQUIT])
def test_a_start_that_waits_for_its_port_can_be_ended(
    server: Server, number: int
) -> None:
    """Behaviour 4: without a word, and nothing was cut."""
    with listen_somewhere() as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        server.start(bind=bind, wait=False)
        eventually(lambda: has_signal(server.pid, SIGQUIT, "SigCgt"))
        assert server.stop(number) == 0
    assert server.log == ""


def has_signal(pid: int, number: int, mask: str) -> bool:
    """Is it in that mask, as proc(5) shows it: SigCgt are caught, SigBlk blocked."""
    status = Path(f"/proc/{pid}/status").read_text()
    [found] = re.findall(rf"^{mask}:\s*(\w+)$", status, re.MULTILINE)
    return bool(int(found, 16) >> (number - 1) & 1)


def test_a_reload_that_comes_too_early_waits(server: Server) -> None:
    """HUP would end a master that does not listen to signals yet."""
    with listen_somewhere() as other:
        bind = f"127.0.0.1:{other.getsockname()[1]}"
        server.start("-w", "1", bind=bind, wait=False)
        eventually(lambda: has_signal(server.pid, SIGHUP, "SigBlk"))
        server.signal(SIGHUP)
    server.wait_ready()
    server.wait_log("phase=commit")
    assert server.stop() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("generation:Generation.start_template", "cannot start template"),
        ("crew:Crew.order", "cannot order worker"),
    ],
)
def test_a_start_that_the_system_refuses_has_an_end(
    server: Server, place: str, told: str
) -> None:
    """Or whoever waits for it, as systemctl does, would wait for ever."""
    (server.directory / "ill").write_text(str(errno.EAGAIN))
    arguments = ("-w", "1", "--boot-timeout", "2")
    env = {"STUMBLES": place}
    server.start(*arguments, env=env, program="stumbles", wait=False)
    assert server.wait() == 1
    assert server.log.count(f"error {told}") > 2
    assert "the system has let nothing start in 2 s" in server.log


def test_a_start_that_the_system_refuses_at_first_is_none_the_worse(
    server: Server,
) -> None:
    (server.directory / "ill").write_text(str(errno.EAGAIN))
    env = {"STUMBLES": "generation:Generation.start_template"}
    server.start("-w", "1", env=env, program="stumbles", wait=False)
    server.wait_log("cannot start template")
    (server.directory / "ill").unlink()
    server.wait_ready()
    assert server.stop() == 0


def test_a_name_that_is_no_text_is_a_name(server: Server) -> None:
    """As a shell of another time passes it: Latin-1."""
    server.start("-w", "1", "--name", "caf\udce9")
    assert "prefork: master [caf?]" in server.processes()[server.pid]
    assert server.stop() == 0


@pytest.mark.parametrize("limit", [8, 12, 16, 31])
def test_a_server_that_may_not_open_much_is_told_how_much_it_needs(
    server: Server, limit: int
) -> None:
    server.wrapper = ["sh", "-c", f'ulimit -n {limit} && exec "$@"', "sh"]
    server.start(wait=False)
    assert server.wait() == 1
    assert f"prefork-wsgi: too few descriptors: {limit}, and 32" in server.log
    assert "Traceback" not in server.log


def test_a_stale_unix_socket_is_replaced(server: Server) -> None:
    """Behaviour 5."""
    path = server.directory / "app.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(os.fspath(path))
    server.start("-w", "1", bind=f"unix:{path}")
    assert ask_over_unix(path).startswith(b"HTTP/1.1 200 OK")
    assert server.stop() == 0
    assert not path.exists()


@pytest.mark.slow
def test_a_live_unix_socket_is_left_alone(server: Server) -> None:
    """Behaviour 5."""
    path = server.directory / "app.sock"
    server.start("-w", "1", bind=f"unix:{path}")
    first = server.process
    server.start("-w", "1", bind=f"unix:{path}", wait=False)
    assert server.wait() == 1
    assert "cannot bind unix:" in server.log
    server.process = first
    assert ask_over_unix(path).startswith(b"HTTP/1.1 200 OK")
    assert server.stop() == 0


def ask_over_unix(path: Path) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(10)
        client.connect(os.fspath(path))
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.recv(65536)


# The pid file


def test_the_pid_file_appears_when_the_port_is_open(server: Server) -> None:
    """Behaviour 1."""
    pid_file = server.directory / "pid"
    with listen_somewhere() as other:
        port = other.getsockname()[1]
    bind = f"127.0.0.1:{port}"
    server.start("-p", str(pid_file), app="hangs_at_import", bind=bind, wait=False)
    text = eventually(lambda: pid_file.exists() and pid_file.read_text())
    socket.create_connection(("127.0.0.1", port)).close()
    assert text == f"{server.pid}\n"
    assert server.stop() == 0
    assert not pid_file.exists()


def test_a_stale_pid_file_is_taken_over_even_if_its_pid_lives(server: Server) -> None:
    """Behaviour 6."""
    pid_file = server.directory / "pid"
    pid_file.write_text(f"{os.getpid()}\n")  # recycled: it is the tests' by now
    server.start("-w", "1", "-p", str(pid_file))
    assert pid_file.read_text() == f"{server.pid}\n"
    assert server.stop() == 0
    assert not pid_file.exists()


def test_the_pid_file_of_a_running_server_is_refused(server: Server) -> None:
    """Behaviour 6."""
    pid_file = server.directory / "pid"
    server.start("-w", "1", "-p", str(pid_file))
    first = server.process
    server.start("-w", "1", "-p", str(pid_file), wait=False)
    assert server.wait() == 1
    server.process = first
    assert f"process {server.pid} holds it" in server.log
    assert pid_file.read_text() == f"{server.pid}\n"
    assert server.stop() == 0


def test_workers_and_templates_do_not_hold_the_pid_file(server: Server) -> None:
    """Behaviour 6: a worker that outlives its master keeps nobody from starting."""
    pid_file = server.directory / "pid"
    server.start("-w", "1", "-p", str(pid_file))
    for pid in (server.template(), *server.workers()):
        files = [os.readlink(entry) for entry in Path(f"/proc/{pid}/fd").iterdir()]
        assert str(pid_file) not in files
    assert server.stop() == 0


# What does not survive a fork


def test_threads_at_import_are_named_and_each_worker_imports(server: Server) -> None:
    """Behaviour 10."""
    server.start("-w", "2", app="threaded:wsgi")
    found = server.wait_log(r"warning unsafe preload .*")[0]
    assert "thread poller" in found
    assert "each worker imports by itself" in found
    assert server.get("/alive") == (200, b"True")
    assert server.stop() == 0


def test_threads_at_import_are_forked_away_if_preload_is_insisted_on(
    server: Server,
) -> None:
    """Behaviour 10."""
    server.start("-w", "2", "--preload", app="threaded:wsgi")
    found = server.wait_log(r"warning unsafe preload .*")[0]
    assert "thread poller" in found and "preload, as told" in found
    assert server.get("/alive") == (200, b"False")
    assert server.stop() == 0


def test_a_connection_at_import_is_named_and_each_worker_imports(
    server: Server,
) -> None:
    """Behaviour 10."""
    with listen_somewhere() as peer:
        port = peer.getsockname()[1]
        server.start("-w", "3", app="connected:wsgi", env={"PEER": str(port)})
        found = server.wait_log(r"warning unsafe preload .*")[0]
        assert f"connection to ('127.0.0.1', {port})" in found
        # One for the template, which has gone; one for each worker, shared by none.
        peer.settimeout(10)
        for _ in range(4):
            peer.accept()[0].close()
        assert server.stop() == 0


def test_no_preload_keeps_the_application_out_of_the_template(server: Server) -> None:
    server.start("-w", "2", "--no-preload", app="threaded:wsgi")
    assert "unsafe preload" not in server.log
    assert server.get("/alive") == (200, b"True")
    assert len(list(Path(f"/proc/{server.template()}/task").iterdir())) == 1
    assert server.stop() == 0
