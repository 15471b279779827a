"""-D: whoever has the log on the terminal is told that it ends there."""

import os
import signal

import pytest
from serving import Server, eventually

pytestmark = pytest.mark.process

WARNING = (
    'warning log ends here reason="the server leaves the terminal, and has no log '
    'file" advice="set error_logfile: PREFORK_ERROR_LOGFILE=FILE, or'
)
# A terminal is what is no file: a pipe will do.
THROUGH_A_PIPE = ["sh", "-c", '"$@" 2>&1 | cat >&2', "sh"]


def detach(server: Server, *options: str, **environment: str) -> str:
    """Start a daemon, and stop it; what it has said before it had left."""
    pid_file = server.directory / "pid"
    server.start(
        "-D", "-w", "1", "--pid", str(pid_file), *options, wait=False, env=environment
    )
    assert server.wait() == 0
    said = server.log
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    eventually(lambda: not server.processes())
    return said


def test_a_daemon_without_a_log_file_says_where_its_log_ends(server: Server) -> None:
    server.wrapper = THROUGH_A_PIPE
    said = detach(server)
    assert WARNING in said
    assert "stopped master" not in server.log


def test_one_that_has_a_log_file_has_nothing_to_say(server: Server) -> None:
    server.wrapper = THROUGH_A_PIPE
    log = server.directory / "errors"
    assert detach(server, "--error-logfile", str(log)) == ""
    assert "log ends here" not in log.read_text()


def test_stderr_may_be_that_file(server: Server) -> None:
    detach(server)
    assert "stopped master" in server.log
    assert "log ends here" not in server.log
    assert "cannot tell systemd" not in server.log


def test_under_systemd_it_says_why_the_unit_will_fail(server: Server) -> None:
    """With Type=notify, where only the process that was started is heard."""
    said = detach(server, NOTIFY_SOCKET=str(server.directory / "notify"))
    assert "warning cannot tell systemd" in said
    assert "leave --daemon out of such a unit" in said
