"""As the first process of a container, which has nobody above it and adopts all."""

import json
import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

import pytest
from serving import Load, eventually
from serving.container import Container, children_of

pytestmark = [pytest.mark.process, pytest.mark.container]


def status_of(pid: int) -> dict[str, str]:
    """The fields of proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {
        key: value.strip() for key, _, value in (each.partition(":") for each in lines)
    }


def ask(container: Container, path: str) -> socket.socket:
    """A client that has asked, and waits for its answer."""
    client = container.connect(timeout=20)
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode()
    )
    return client


def read_answer(client: socket.socket) -> bytes:
    """Everything that came, to the end; OSError if that is a reset."""
    with client, client.makefile("rb") as file:
        return file.read()


def test_the_master_is_the_first_process(container: Container) -> None:
    container.start("-w", "1", app="contained:wsgi")
    assert status_of(container.pid)["NSpid"].split()[-1] == "1"
    assert json.loads(container.get("/place")[1])["parent"] == 1
    assert container.stop() == 0


def test_orphans_are_reaped(container: Container) -> None:
    """Behaviour 84: no zombie stays, whoever has left it."""
    container.start("-w", "2", "--log-level", "debug", app="contained:wsgi")
    for _ in range(20):
        assert container.get("/orphan")[0] == 200
    eventually(lambda: container.log.count("reaped orphan") == 20)
    eventually(
        lambda: len(children_of(container.pid)) == 3
    )  # two workers, and the template
    assert container.stop() == 0


def test_term_answers_everyone(container: Container) -> None:
    """Behaviours 40 and 84: all that `docker stop` sends, to the first process."""
    container.start("-w", "1")
    clients = [ask(container, "/sleep?s=0.3&say=asleep")]
    container.wait_log("asleep")
    clients += [ask(container, "/sleep?s=0.01") for _ in range(4)]
    container.signal(signal.SIGTERM)
    assert [read_answer(each)[:15] for each in clients] == [b"HTTP/1.1 200 OK"] * 5
    assert container.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_a_signal_to_everyone_at_once_is_a_stop(
    container: Container, number: int
) -> None:
    """As a supervisor may do it: who is told twice does not hurry for it."""
    container.start("-w", "2")
    client = ask(container, "/sleep?s=0.5&say=asleep")
    container.wait_log("asleep")
    for pid in [container.pid, *children_of(container.pid)]:
        with suppress(ProcessLookupError):  # an idle one may have left already
            os.kill(pid, number)
    assert read_answer(client).startswith(b"HTTP/1.1 200 OK")
    assert container.wait() == 0
    assert "lost worker" not in container.log


def test_int_ends_what_is_slow(container: Container) -> None:
    """The exit status says that a request was cut."""
    container.start("-w", "1")
    with ask(container, "/sleep?s=60&say=asleep"):
        container.wait_log("asleep")
        assert container.stop(signal.SIGINT) == 75


@pytest.mark.parametrize(
    ("arguments", "app", "status"),
    [
        (["--no-such-flag"], "app:wsgi", 2),
        (["--timeout", "soon"], "app:wsgi", 78),
        ([], "broken:wsgi", 70),
        (["--pid", "/run/no/such/directory"], "app:wsgi", 1),
    ],
)
def test_a_start_that_fails_has_the_documented_status(
    container: Container, arguments: list[str], app: str, status: int
) -> None:
    container.start(*arguments, app=app, wait=False)
    assert container.wait() == status
    assert container.log


@pytest.mark.slow
def test_it_is_reloaded_and_upgraded_under_load(container: Container) -> None:
    """Behaviours 21 and 34: where nothing can be written."""
    container.start("-w", "2")
    with Load(container, clients=2) as load:
        container.signal(signal.SIGHUP)
        container.wait_log("phase=commit")
        container.signal(signal.SIGUSR2)
        container.wait_log("upgraded master")
        container.signal(signal.SIGHUP)
        container.wait_log("(?s)upgraded master.*phase=commit")
    assert load.failures == []
    assert container.stop() == 0


def test_a_worker_that_is_killed_is_replaced(container: Container) -> None:
    """Behaviour 11."""
    container.start("-w", "2")
    victim = container.workers()[0]
    os.kill(victim, signal.SIGKILL)
    container.wait_log('lost worker cause="SIGKILL from outside"')
    eventually(lambda: len(container.workers()) == 2)
    assert container.get("/")[0] == 200
    assert container.stop() == 0
