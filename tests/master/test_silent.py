"""Where nothing can be said: stdin, stdout and stderr closed when it was started."""

import os
import signal

import pytest
from serving import Server, eventually

pytestmark = pytest.mark.process


def close(*descriptors: int) -> list[str]:
    """A command that is another, but without these."""
    closing = " ".join(f"{fd}>&-" for fd in descriptors)
    return ["sh", "-c", f'exec "$@" {closing}', "sh"]


def opened(pid: int) -> list[str]:
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]


def test_nothing_else_becomes_its_stdout(server: Server) -> None:
    """No listener, and not the scoreboard: what is logged would go there."""
    server.wrapper = close(0, 1, 2)
    log = server.directory / "log"
    flags = "--error-logfile", str(log), "--access-logfile", "-"
    server.start("-w", "2", *flags, bind="127.0.0.1:0", wait=False)
    eventually(lambda: " ready workers=" in log.read_text())
    server.log_path = log
    server.wait_ready()
    assert server.get("/?say=hello") == (200, b"hello\n")
    for pid in server.processes():
        assert opened(pid) == [os.devnull, os.devnull, str(log)]
    assert server.stop() == 0
    assert "stopped master" in log.read_text()


@pytest.mark.parametrize("closed", [(2,), (1, 2), (0, 1, 2)], ids=str)
def test_without_stderr_it_serves_and_stops(
    server: Server, closed: tuple[int, ...]
) -> None:
    server.wrapper = close(*closed)
    pid_file = server.directory / "pid"
    server.start("-w", "1", "--pid", str(pid_file), wait=False)
    eventually(lambda: len(server.workers()) == 1)
    for pid in server.processes():
        assert opened(pid)[2] == os.devnull
    assert server.stop() == 0


def test_a_daemon_without_stderr_serves_too(server: Server) -> None:
    server.wrapper = close(0, 1, 2)
    pid_file = server.directory / "pid"
    server.start("-D", "-w", "1", "--pid", str(pid_file), wait=False)
    assert server.wait() == 0
    eventually(lambda: len(server.workers()) == 1)
    for pid in server.processes():
        assert opened(pid) == [os.devnull] * 3
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    eventually(lambda: not server.processes())


def test_a_start_that_fails_still_has_its_exit_status(server: Server) -> None:
    server.wrapper = close(0, 1, 2)
    server.start(app="broken:wsgi", wait=False)
    assert server.wait() == 70
