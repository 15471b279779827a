"""Started by a web server, or by spawn-fcgi, with a listening socket as stdin."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Server
from serving.eventually import eventually
from serving.fastcgi import connect, get

pytestmark = pytest.mark.process

PATH = f"{os.environ['PATH']}:/usr/sbin"


@pytest.fixture
def stdin(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "app.sock"))
        listener.listen()
        yield listener


def ask(path: Path, uri: str = "/hello") -> bytes:
    with connect(str(path)) as wire:
        wire.send(get(uri))
        return wire.read_answer().body


def nobody_has_it_as_stdin(server: Server) -> bool:
    """OSError while somebody leaves, as who forks a worker does."""
    pids = server.processes()
    return {os.readlink(f"/proc/{pid}/fd/0") for pid in pids} == {os.devnull}


@pytest.mark.parametrize("bind", [None, "fastcgi+fd://0"])
def test_serves_what_listens_on_stdin(
    server: Server, tmp_path: Path, stdin: socket.socket, bind: str | None
) -> None:
    """FastCGI 2.2, FCGI_LISTENSOCK_FILENO; nobody keeps it as stdin."""
    server.start("-w", "1", bind=bind, stdin=stdin)
    server.wait_log("listening on=fastcgi[+]unix:")
    assert ask(tmp_path / "app.sock") == b"hello\n"
    eventually(lambda: nobody_has_it_as_stdin(server))
    assert server.stop() == 0
    assert (tmp_path / "app.sock").exists()  # it was not ours


def test_goes_on_serving_it_through_reload_and_upgrade(
    server: Server, tmp_path: Path, stdin: socket.socket
) -> None:
    server.start("-w", "1", bind=None, stdin=stdin)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    assert ask(tmp_path / "app.sock") == b"hello\n"
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master", within=30)
    assert ask(tmp_path / "app.sock") == b"hello\n"
    assert server.stop() == 0


def test_an_address_that_is_named_is_preferred(
    server: Server, stdin: socket.socket
) -> None:
    server.start("-w", "1", stdin=stdin)
    assert server.get("/hello") == (200, b"hello\n")
    assert "fastcgi" not in server.log
    assert server.stop() == 0


def test_a_daemon_takes_it_along(
    server: Server, tmp_path: Path, stdin: socket.socket
) -> None:
    pid_file = tmp_path / "pid"
    server.start(
        *("-w", "1", "-D", "--error-logfile", str(server.log_path)),
        *("--pid", str(pid_file)),
        bind=None,
        stdin=stdin,
        wait=False,
    )
    assert server.wait() == 0
    assert ask(tmp_path / "app.sock") == b"hello\n"
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    server.wait_log("stopped master")
    eventually(lambda: not server.processes())


def write_launcher(server: Server) -> Path:
    """What a system would have as prefork-wsgi: a program of its own."""
    launcher = server.directory / "prefork-wsgi"
    launcher.write_text(
        "#!/bin/sh\n"
        f"PYTHONPATH='{Path(__file__).parents[2]}:{Path(__file__).parents[1]}/programs'"
        f" TEST_RUN={server.mark} exec '{sys.executable}' -m prefork.cli.wsgi -w 1"
        f" --chdir '{server.directory}' --error-logfile '{server.log_path}' app:wsgi\n"
    )
    launcher.chmod(0o755)
    return launcher


@pytest.mark.frontend
def test_spawn_fcgi_can_start_it(server: Server, tmp_path: Path) -> None:
    program = shutil.which("spawn-fcgi", path=PATH)
    if program is None:
        pytest.skip("no spawn-fcgi")
    path, pid_file = tmp_path / "s.sock", tmp_path / "pid"
    launcher = write_launcher(server)
    subprocess.run(
        [program, "-s", path, "-P", pid_file, "--", launcher],
        check=True,
        timeout=20,
        stdout=subprocess.DEVNULL,
    )
    assert ask(path) == b"hello\n"
    server.wait_log("ready workers=1")
    eventually(lambda: nobody_has_it_as_stdin(server))
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    server.wait_log("stopped master")
    eventually(lambda: not server.processes())


@pytest.mark.frontend
@pytest.mark.slow
def test_lighttpd_can_start_and_stop_it(server: Server, tmp_path: Path) -> None:
    program = shutil.which("lighttpd", path=PATH)
    if program is None:
        pytest.skip("no lighttpd")
    front = tmp_path / "front.sock"
    configuration = tmp_path / "lighttpd.conf"
    configuration.write_text(
        f'server.document-root = "{tmp_path}"\n'
        f'server.bind = "{front}"\n'
        'server.modules = ( "mod_fastcgi" )\n'
        'fastcgi.server = ( "/" => (( "bin-path" => "'
        f'{write_launcher(server)}", "socket" => "{tmp_path}/f.sock",\n'
        '"max-procs" => 1, "check-local" => "disable",'
        ' "fix-root-scriptname" => "enable" )) )\n'
    )
    with open(tmp_path / "lighttpd.log", "wb") as log:
        process = subprocess.Popen(
            [program, "-D", "-f", configuration],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        server.wait_log("ready workers=1", within=20)
        answer = eventually(lambda: ask_http(front, "/hello"))
        assert answer.endswith(b"\r\n\r\nhello\n")
    finally:
        process.terminate()
        process.wait(20)
    server.wait_log("stopped master")
    eventually(lambda: not server.processes())


def ask_http(path: Path, target: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(15)
        connection.connect(str(path))
        connection.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        answer = b""
        while data := connection.recv(65536):
            answer += data
        return answer
