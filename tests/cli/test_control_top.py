"""`prefork top`: one look in plain text, or a live view with keys."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from serving import Server, eventually

pytestmark = [pytest.mark.process, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"
needs_rich = pytest.mark.skipif(not find_spec("rich"), reason="rich is not installed")


def command(server: Server, *arguments: str) -> list[str]:
    program = [sys.executable, "-m", "prefork.cli.control", "top"]
    return [*program, "--pid", str(server.pid), *arguments]


OURS = {"COLUMNS", "LINES"}  # of the terminal in which we are tested
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in OURS},
    "PYTHONPATH": str(ROOT),
    "TERM": "xterm-256color",
}


def once(server: Server, *arguments: str) -> str:
    return subprocess.run(
        command(server, *arguments),
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("arguments", [["--once"], []], ids=["once", "no-terminal"])
def test_one_look_in_plain_text(server: Server, arguments: list[str]) -> None:
    server.start("-w", "3", "-n", "shop")
    with server.connect() as old:
        old.sendall(GET % b"/sleep?s=60&say=first")
        server.wait_log("first")
        with server.connect() as new:  # only now, so that another worker takes it
            new.sendall(GET % b"/sleep?s=50&say=second")
            server.wait_log("second")
            head, table = once(server, *arguments).split("\n\n")
    lines = head.splitlines()
    assert lines[0].startswith(f"shop  serving  pid {server.pid}  generation 1  up ")
    assert lines[1].startswith("requests/s 0.0, errors/s 0.0, busy 67 %, ")
    assert lines[2] == "workers: 3 of 3 serve, 2 busy"
    names, first, second, third = table.splitlines()
    assert names.split()[-5:] == ["CPU", "RSS", "USS", "SHARED", "REQUEST"]
    assert first.endswith("GET /sleep?s=60&say=first")
    assert second.endswith("GET /sleep?s=50&say=second")
    assert " idle " in third
    assert "MB" in third and "%" in third


@pytest.mark.parametrize(
    ("stdin", "more"),
    [
        ("</dev/null", {}),
        ("<&-", {}),
        ("<&1", {"TERM": "dumb"}),
        ("<&1", {"PYTHONIOENCODING": "latin-1"}),
    ],
    ids=str,
)
def test_one_look_where_nothing_can_be_drawn(
    server: Server, stdin: str, more: dict[str, str]
) -> None:
    """There are no keys, or the terminal only prints, or has no such characters."""
    server.start("-w", "1", "-n", "shop")
    screen, theirs = pty.openpty()
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {stdin}', "sh", *command(server)],
        env={**ENVIRONMENT, **more},
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=30,
        check=False,
    )
    os.close(theirs)  # so that the end is there, if nothing else is
    with os.fdopen(screen, "rb", buffering=0) as seen:
        assert (done.returncode, done.stderr) == (0, b"")
        assert seen.read(65536).startswith(b"shop  serving  pid ")


@pytest.mark.parametrize("interval", ["0", "nan", "soon", "1e9"])
def test_an_interval_is_some_time(interval: str) -> None:
    program = [sys.executable, "-m", "prefork.cli.control", "top"]
    result = subprocess.run(
        [*program, "--interval", interval],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 2
    assert "is not 0.1 to 3600 seconds" in result.stderr


def test_the_server_never_imports_what_top_draws_with() -> None:
    program = "import prefork.cli.serve, prefork.cli.template, sys; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert not {"rich", "psutil"} & set(loaded)


# On a terminal


class Terminal:
    """top with a terminal of its own; `text` is all that it has shown."""

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        *,
        lines: int = 30,
        columns: int = 120,
    ) -> None:
        size = struct.pack("4H", lines, columns, 0, 0)
        self.pid, self._fd = pty.fork()
        if not self.pid:
            try:
                fcntl.ioctl(0, termios.TIOCSWINSZ, size)
                os.execve(sys.executable, arguments, environment)
            finally:
                os._exit(127)
        self.text = ""

    def press(self, key: str) -> None:
        os.write(self._fd, key.encode())

    def shows(self, text: str) -> bool:
        while select.select([self._fd], [], [], 0.02)[0]:
            try:
                self.text += os.read(self._fd, 65536).decode(errors="replace")
            except OSError:  # EIO: it has left
                break
        return text in self.text

    def read_until(self, check: Callable[[], bool]) -> None:
        """Read meanwhile: with a terminal that takes no more it would not hear us."""
        eventually(lambda: self.shows("") and check())

    def wait(self) -> int:
        status = eventually(self._ended)
        self.pid = 0
        self.shows("")  # its last words
        return os.waitstatus_to_exitcode(status[0])

    def _ended(self) -> list[int]:
        self.shows("")
        pid, status = os.waitpid(self.pid, os.WNOHANG)
        return [status] if pid else []

    def close(self) -> None:
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self._fd)


@pytest.fixture
def terminal(server: Server) -> Iterator[Terminal]:
    server.start("-w", "2")
    arguments = command(server, "--interval", "0.2")
    terminal = Terminal(arguments, ENVIRONMENT)
    yield terminal
    terminal.close()


@needs_rich
def test_it_is_drawn_again_and_again_until_q(
    server: Server, terminal: Terminal
) -> None:
    eventually(lambda: terminal.shows("2 of 2 serve, 0 busy"))
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        eventually(lambda: terminal.shows("GET /sleep?s=60&say=asleep"))
        assert terminal.shows("2 of 2 serve, 1 busy")
    terminal.press("q")
    assert terminal.wait() == 0
    assert "\x1b[?25h" in terminal.text[-40:]  # the cursor is back


@needs_rich
def test_keys_dump_scale_and_reload(server: Server, terminal: Terminal) -> None:
    eventually(lambda: terminal.shows("2 of 2 serve"))
    terminal.press("d")
    eventually(lambda: terminal.shows("select a worker first"))
    terminal.press("\x1b[B")
    terminal.press("\x1b[B")
    terminal.press("d")
    eventually(lambda: terminal.shows("the stacks of worker 1 are in"))
    terminal.read_until(lambda: "most recent call first" in server.log)
    terminal.press("+")
    eventually(lambda: terminal.shows("3 of 3 serve"))
    terminal.press("-")
    terminal.read_until(lambda: len(server.workers()) == 2)
    terminal.press("r")
    terminal.read_until(lambda: "phase=commit" in server.log)
    eventually(lambda: terminal.shows("generation 2"))
    terminal.press("q")
    assert terminal.wait() == 0


@needs_rich
def test_it_ends_when_the_server_does(server: Server, terminal: Terminal) -> None:
    eventually(lambda: terminal.shows("2 of 2 serve"))
    assert server.stop() == 0
    assert terminal.wait() == 1
    # Who asks in its last moment is heard, and not answered.
    assert re.search("no master listens on|has ended the conversation", terminal.text)


@needs_rich
@pytest.mark.parametrize(
    ("lines", "columns", "first"),
    [(5, 20, "2 of 2"), (2, 10, "2 of 2"), (12, 40, "SLOT")],
)
def test_a_tiny_terminal_shows_who_is_busy(
    server: Server, lines: int, columns: int, first: str
) -> None:
    server.start("-w", "2")
    arguments = command(server, "--interval", "0.2")
    terminal = Terminal(arguments, ENVIRONMENT, lines=lines, columns=columns)
    try:
        eventually(lambda: terminal.shows(first))
        with server.connect() as client:
            client.sendall(GET % b"/sleep?s=60")
            eventually(lambda: lines < 3 or terminal.shows("busy"))
        terminal.press("q")
        assert terminal.wait() == 0
    finally:
        terminal.close()


def test_without_rich_it_is_printed_again_and_again(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "rich.py").write_text("raise ModuleNotFoundError('rich')")
    server.start("-w", "2")
    environment = {**ENVIRONMENT, "PYTHONPATH": f"{tmp_path}:{ROOT}"}
    terminal = Terminal(command(server, "--interval", "0.2"), environment)
    try:
        eventually(lambda: terminal.shows("pip install 'prefork[top]'"))
        terminal.read_until(lambda: terminal.text.count("SLOT") >= 3)
        terminal.press("\x03")
        assert terminal.wait() == 0
    finally:
        terminal.close()
