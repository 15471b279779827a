"""Signals that an operator sends to the wrong process end nobody."""

import os
import signal

import pytest
from serving import Server, eventually

pytestmark = pytest.mark.process

# What a master obeys, and would end, or stop, who is not told what to do about it.
FOR_THE_MASTER = (
    *(signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2),
    *(signal.SIGTTIN, signal.SIGTTOU, signal.SIGWINCH),
)


def test_a_dump_of_stacks_that_the_master_is_sent_costs_nobody(server: Server) -> None:
    """It takes it for an upgrade, to the program that it is already."""
    server.start("-w", "1")
    (worker,) = server.workers()
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master")
    assert server.get()[0] == 200
    assert worker in server.workers()


def test_a_worker_writes_its_stacks_and_goes_on(server: Server) -> None:
    server.start("-w", "1")
    (worker,) = server.workers()
    os.kill(worker, signal.SIGUSR2)
    server.wait_log(r'Current thread .*\n  File ".*lobby.py"')
    assert server.get("/pid") == (200, str(worker).encode())


def test_a_template_leaves_them_to_its_master(server: Server) -> None:
    """`pkill -HUP prefork`, or `systemctl kill -s USR1`, means all of us."""
    server.start("-w", "1")
    worker, template = server.workers(), server.template()
    send_all_to(template)
    os.kill(worker[0], signal.SIGKILL)
    eventually(lambda: server.workers() not in ([], worker))
    assert server.template() == template
    assert "lost template" not in server.log
    assert server.stop() == 0


def test_so_does_one_that_was_a_worker(server: Server) -> None:
    server.start("-w", "1", "--refork-after", "2")
    (warmed,) = server.workers()
    for _ in range(3):
        assert server.get()[0] == 200
    server.wait_log("reforking phase=commit")
    send_all_to(warmed)
    (worker,) = eventually(lambda: server.workers(2))
    os.kill(worker, signal.SIGKILL)
    eventually(lambda: server.workers() not in ([], [worker]))
    assert server.template() == warmed


@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_an_import_goes_on_whatever_the_master_is_told(
    server: Server, preload: str
) -> None:
    """Or the start would have failed."""
    program = (
        "import os, time, app\n"
        "open('begun', 'w').close()\n"
        "while not os.path.exists('go-on'): time.sleep(0.01)\n"
        "wsgi = app.wsgi\n"
    )
    (server.directory / "late.py").write_text(program)
    server.start("-w", "1", preload, app="late:wsgi", wait=False)
    eventually((server.directory / "begun").exists)
    for pid in server.processes().keys() - {server.pid}:
        send_all_to(pid)
    (server.directory / "go-on").touch()
    server.wait_ready()
    assert server.get()[0] == 200
    assert server.stop() == 0


def send_all_to(pid: int) -> None:
    for number in FOR_THE_MASTER:
        os.kill(pid, number)
