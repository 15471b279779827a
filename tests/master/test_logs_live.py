"""Logs of a running server: reopened, flooded, and the last words of the dying."""

import array
import fcntl
import os
import re
import signal
import termios
import threading
from pathlib import Path

import pytest
from serving import Load, Server, Site, eventually

pytestmark = pytest.mark.process

WHOLE_LINE = re.compile(
    r'127\.0\.0\.1 - - \[[^]]+\] "GET /\S* HTTP/1\.1" 200 \d+ "-" "-"'
)


def test_reopening_loses_no_line_of_the_access_log(server: Server) -> None:
    """Behaviour 78: and no two lines are mixed."""
    access = server.directory / "access"
    server.start("-w", "3", "--access-logfile", str(access))
    rotated = []
    with Load(server, clients=4, paths=["/", "/pid"]) as load:
        for number in range(5):
            eventually(lambda: access.stat().st_size > 2000)
            rotated.append(access.with_name(f"access.{number}"))
            access.rename(rotated[-1])
            server.signal(signal.SIGUSR1)
        eventually(lambda: access.stat().st_size)
    assert load.failures == []
    assert server.stop() == 0
    files = [path.read_text().splitlines() for path in (*rotated, access)]
    lines = [line for file in files for line in file]
    assert len(lines) == load.answered
    assert [line for line in lines if not WHOLE_LINE.fullmatch(line)] == []
    assert all(files)  # each has its part


def test_everyone_goes_on_in_the_new_error_log(server: Server) -> None:
    """Behaviour 78: what the application prints, and what the master says."""
    log, old = server.directory / "error.log", server.directory / "error.log.1"
    server.start("-w", "2", "--error-logfile", str(log), wait=False)
    eventually(lambda: " ready workers=" in log.read_text())
    port = re.search(r"listening on=http://127.0.0.1:(\d+)", log.read_text())
    assert port
    server.port = int(port[1])
    log.rename(old)
    server.signal(signal.SIGUSR1)
    eventually(log.exists)
    eventually(lambda: {opened(pid) for pid in server.processes()} == {str(log)})
    assert server.get("/?say=hello-there")[0] == 200
    assert server.stop() == 0
    new = log.read_text()
    assert "hello-there\n" in new and "stopped master" in new
    assert "hello-there" not in old.read_text()
    assert server.log == ""


def opened(pid: int) -> str:
    """What a process has for its stderr."""
    return os.readlink(f"/proc/{pid}/fd/2")


@pytest.mark.slow
def test_what_former_configurations_have_logged_to_is_left(server: Server) -> None:
    """Behaviour 78: it is neither open nor made again; of a reload that failed too."""
    site = Site(server.directory)
    paths = [server.directory / f"access.{number}" for number in range(4)]

    def reload(path: Path, end: str) -> None:
        so_far = server.log.count(end)
        site.configure(workers=1, access_logfile=str(path))
        server.signal(signal.SIGHUP)
        eventually(lambda: server.log.count(end) > so_far)

    site.configure(workers=1, access_logfile=str(paths[0]))
    server.start(app=site.app, env=site.env)
    for path in paths[1:]:
        reload(path, "phase=commit")
    kept = {str(path) for path in paths[2:]}  # the last is on probation
    eventually(lambda: access_logs(server.pid) == kept)
    site.publish("2", "1 / 0")
    reload(server.directory / "access.4", "reload failed")
    eventually(lambda: access_logs(server.pid) == kept)
    for path in server.directory.glob("access.*"):
        path.unlink()
    server.signal(signal.SIGUSR1)
    eventually(paths[3].exists)
    assert {str(path) for path in server.directory.glob("access.*")} == kept
    assert server.get("/")[0] == 200
    eventually(lambda: WHOLE_LINE.search(paths[3].read_text()))
    assert server.stop() == 0


def access_logs(pid: int) -> set[str]:
    """Those that a process has open."""
    found = (os.readlink(each) for each in Path(f"/proc/{pid}/fd").iterdir())
    return {path for path in found if "/access." in path}


def test_a_log_that_cannot_be_reopened_goes_on_in_the_old_file(server: Server) -> None:
    directory = server.directory / "logs"
    directory.mkdir()
    access = directory / "access"
    server.start("-w", "1", "--access-logfile", str(access))
    directory.rename(server.directory / "old")
    server.signal(signal.SIGUSR1)
    server.wait_log("error cannot reopen log")
    assert server.get("/")[0] == 200
    old = server.directory / "old" / "access"
    eventually(lambda: WHOLE_LINE.search(old.read_text()))
    assert server.stop() == 0


def test_the_last_words_of_a_dying_worker_are_in_the_log(server: Server) -> None:
    """Behaviour 77."""
    server.start("-w", "2", app="last_words:wsgi")
    assert server.raw(b"GET /die HTTP/1.1\r\nHost: x\r\n\r\n") in (b"", b"[RESET]")
    server.wait_log("these were my last words\n")
    server.wait_log('lost worker cause="exit code 3"')


@pytest.mark.slow
def test_a_flood_into_a_pipe_that_nobody_reads_stops_nobody(server: Server) -> None:
    """Behaviour 77: lines are dropped and counted, requests are answered."""
    fifo = server.directory / "fifo"
    os.mkfifo(fifo)
    reader = Reader(fifo)
    server.start("-w", "2", "--error-logfile", str(fifo), wait=False)
    reader.wait_for(" ready workers=")
    port = re.search(r"listening on=http://127.0.0.1:(\d+)", reader.text)
    assert port
    server.port = int(port[1])
    reader.pause()
    with Load(server, clients=2) as load:
        assert server.get("/flood?lines=20000") == (200, b"flooded\n")
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 20)
    assert load.failures == []
    server.signal(signal.SIGTTIN)  # the master, too, has something to say
    eventually(lambda: len(server.workers()) == 3)
    reader.go_on()
    server.signal(signal.SIGTTOU)
    reader.wait_for("scaling workers=2")
    assert "dropped log lines" in reader.text
    assert server.stop() == 0
    reader.close()


class Reader:
    """Reads a FIFO, in a thread, unless it is told to pause."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_RDWR)  # so it opens without a writer
        self._may_read = threading.Event()
        self._may_read.set()
        self._is_over = False
        self.text = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._is_over:
            data = os.read(self._fd, 65536)
            self.text += data.decode(errors="replace")
            self._may_read.wait()

    def wait_for(self, words: str) -> None:
        eventually(lambda: words in self.text)

    def pause(self) -> None:
        self._may_read.clear()

    def go_on(self) -> None:
        """Read again, until there is nothing left."""
        self._may_read.set()
        count = array.array("i", [1])

        def is_empty() -> bool:
            fcntl.ioctl(self._fd, termios.FIONREAD, count)
            return count[0] == 0

        eventually(is_empty)

    def close(self) -> None:
        self._is_over = True
        os.write(self._fd, b"\n")  # or it would wait for one more line
        self._thread.join()
        os.close(self._fd)
