"""Where there is next to nothing: nowhere to write, no name, no home, no memory."""

import json
import os
import signal
import socket
from contextlib import suppress
from typing import Self

import pytest
from serving import Load, Server, eventually
from serving.container import UID, Container

pytestmark = [pytest.mark.process, pytest.mark.container]

LARGE = b"x" * (8 << 20)


def test_the_container_is_as_poor_as_is_claimed(container: Container) -> None:
    container.start("-w", "1", app="contained:wsgi")
    found = json.loads(container.get("/place")[1])
    assert (found["uid"], found["name"], found["home"]) == (UID, "KeyError", None)
    assert found["here"] == "OSError"  # EROFS
    assert found["temporary"] == "FileNotFoundError"
    assert found["shared"] == "PermissionError"
    assert container.stop() == 0


def test_a_large_body_is_taken_where_nothing_can_be_written(
    container: Container,
) -> None:
    container.start("-w", "1")
    head = f"POST /count HTTP/1.0\r\nContent-Length: {len(LARGE)}\r\n\r\n"
    answer = container.raw(head.encode() + LARGE)
    assert answer.endswith(b"\r\n\r\n%d" % len(LARGE))
    assert container.stop() == 0


def test_a_program_of_cgi_is_given_a_chunked_body_there_too(
    container: Container,
) -> None:
    """It is told a length, so the body is received first; into memory."""
    program = container.directory / "count"
    program.write_text("#!/bin/sh\necho Content-Type: text/plain\necho\nwc -c\n")
    program.chmod(0o755)
    container.start("-w", "1", app=str(program), program="prefork.cli.cgi")
    head = b"POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (len(LARGE), LARGE)
    assert str(len(LARGE)).encode() in container.raw(head + chunk + b"0\r\n\r\n")
    assert container.stop() == 0


def test_pipes_that_nobody_reads_hold_up_nobody(container: Container) -> None:
    """Behaviour 77: lines are dropped, and counted for when somebody reads again."""
    with Tap(container) as tap:
        container.start("-w", "1", "--access-logfile", "-", wait=False)
        container.log_path = tap.log_path
        tap.pour_until(" ready workers=")
        container.wait_ready()
        with Load(container, clients=2) as load:
            eventually(lambda: load.answered > 1500, within=60)
        assert load.failures == []
        tap.pour_until("GET / HTTP/1.1")
        assert container.get("/")[0] == 200
        tap.pour_until("warning dropped access lines worker=0 ")
        assert container.stop() == 0


def test_pipes_whose_reader_has_left_hold_up_nobody(container: Container) -> None:
    with Tap(container) as tap:
        container.start("-w", "1", "--access-logfile", "-", wait=False)
        container.log_path = tap.log_path
        tap.pour_until(" ready workers=")
        container.wait_ready()
    assert [container.get("/?say=hello")[0] for _ in range(3)] == [200] * 3
    container.signal(signal.SIGTTIN)
    eventually(lambda: len(container.workers()) == 2)
    assert container.stop() == 0


class Tap:
    """The end of a pipe that is stdout and stderr of a server; it reads if told to."""

    def __init__(self, server: Server) -> None:
        self.log_path = server.directory / "poured.log"
        path = server.directory / "pipe"
        os.mkfifo(path)
        self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        into = f'exec "$@" >{path} 2>&1'
        server.wrapper = ["sh", "-c", into, "sh", *server.wrapper]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)

    def pour_until(self, words: str) -> None:
        """Read into the file until that is there, but not what comes later."""
        eventually(lambda: self._pour() and words in self.log_path.read_text())

    def _pour(self) -> bool:
        with self.log_path.open("ab") as file, suppress(BlockingIOError):
            file.write(os.read(self._fd, 1 << 20))
        return True


def test_closed_stdout_and_stderr_hold_up_nobody(container: Container) -> None:
    container.wrapper = ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *container.wrapper]
    name = f"prefork-test-{container.mark}"
    container.start("--access-logfile", "-", bind=f"unix:@{name}", wait=False)
    with socket.socket(socket.AF_UNIX) as client:
        eventually(lambda: client.connect(f"\0{name}") is None)
        client.sendall(b"GET /?say=hello HTTP/1.0\r\n\r\n")
        assert client.makefile("rb").read().endswith(b"\r\n\r\nhello\n")
    assert container.stop() == 0
