"""A real prefork-wsgi under test: started, talked to, signalled, stopped."""

import http.client
import os
import re
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from signal import SIGKILL, SIGTERM

from serving.eventually import PATIENCE, eventually

PROGRAMS = Path(__file__).parents[1] / "programs"
ROOT = Path(__file__).parents[2]
MARK = "TEST_RUN"


class Server:
    """One master with its workers; `directory` holds its log and its socket."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.log_path = directory / "stderr.log"
        self.mark = uuid.uuid4().hex
        self.process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.wrapper: Sequence[str] = ()  # a command that becomes the one behind it

    # Life

    def start(
        self,
        *arguments: str,
        app: str = "app:wsgi",
        bind: str | None = "127.0.0.1:0",
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        wait: bool = True,
        program: str = "prefork.cli.wsgi",
        **popen: object,
    ) -> "Server":
        """Start prefork-wsgi, and wait until it is ready unless told otherwise."""
        command = [sys.executable, "-m", program, *arguments]
        command += ["-b", bind] if bind else []
        command += [app] if app else []
        self.launch(command, cwd=cwd, env=env, **popen)
        if wait:
            self.wait_ready()
        return self

    def launch(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        **popen: object,
    ) -> None:
        """Run a command that becomes the master."""
        environment = {
            **(env or {}),  # first in order, and last in word
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{PROGRAMS}",
            MARK: self.mark,
            "PREFORK_BAKE": "0",  # what a test of anything else need not wait for
            **(env or {}),
        }
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.wrapper, *command],
                cwd=cwd or self.directory,
                env=environment,
                stderr=log,
                **{  # type: ignore
                    "stdin": subprocess.DEVNULL,
                    "stdout": log,
                    "start_new_session": True,
                    **popen,
                },
            )

    def wait_ready(self, *, within: float = 15.0) -> None:
        """Until all workers of the first generation serve."""

        def is_ready() -> bool:
            if self.process is not None and self.process.poll() is not None:
                raise RuntimeError(f"ended with {self.process.returncode}:\n{self.log}")
            return " ready workers=" in self.log

        eventually(is_ready, within=within)
        match = re.search(r"listening on=http://\S*:(\d+)$", self.log, re.MULTILINE)
        self.port = int(match[1]) if match else 0

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    def signal(self, number: int) -> None:
        """Send the master a signal."""
        os.kill(self.pid, number)

    def wait(self, *, within: float = 15.0) -> int:
        """Until the master has exited; its exit status."""
        assert self.process is not None
        try:
            return self.process.wait(within * PATIENCE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {within} s") from None

    def stop(self, number: int = SIGTERM, *, within: float = 15.0) -> int:
        """Send TERM (or another signal), wait; the exit status."""
        self.signal(number)
        return self.wait(within=within)

    # Looking

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def wait_log(self, pattern: str, *, within: float = 10.0) -> re.Match[str]:
        """Until the log matches; the match."""
        return eventually(lambda: re.search(pattern, self.log), within=within)

    def processes(self) -> dict[int, str]:
        """All living processes of this server: pid → title."""
        found = {}
        for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
            try:
                if pid != os.getpid() and self._is_ours(pid):
                    title = Path(f"/proc/{pid}/cmdline").read_bytes()
                    found[pid] = title.replace(b"\0", b" ").decode().strip()
            except OSError:
                pass  # it has just left, or is a zombie
        return found

    def _is_ours(self, pid: int) -> bool:
        """By its environment, which a title overwrites; then by what is open."""
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        if f"{MARK}={self.mark}".encode() in environ:
            return True
        names = ("cwd", "fd/1", "fd/2")
        places = [os.readlink(f"/proc/{pid}/{name}") + "/" for name in names]
        return any(place.startswith(f"{self.directory}/") for place in places)

    def workers(self, generation: int | None = None) -> list[int]:
        """The pids of the workers that serve, oldest first."""
        wanted = "gen " if generation is None else f"gen {generation} "
        return [
            pid
            for pid, title in sorted(self.processes().items())
            if title.startswith("prefork: worker") and wanted in title
        ]

    def template(self) -> int:
        """The pid of the newest template; 0 if there is none."""
        return (self.templates() or [0])[-1]

    def templates(self) -> list[int]:
        """The pids of the templates, oldest first; by generation, as pids recur."""
        found = [
            (int(title.split()[3]), pid)
            for pid, title in self.processes().items()
            if title.startswith("prefork: template gen ")
        ]
        return [pid for _, pid in sorted(found)]

    # Talking

    def connect(self, *, timeout: float = 10.0) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout)

    def get(
        self, path: str = "/", *, timeout: float = 15.0, **headers: str
    ) -> tuple[int, bytes]:
        """One GET over a connection of its own: status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", path, headers={"Connection": "close", **named})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def raw(self, data: bytes, *, timeout: float = 10.0) -> bytes:
        """Send bytes, read to the end; everything that came back."""
        with self.connect(timeout=timeout) as connection:
            connection.sendall(data)
            return read_all(connection)

    def clean_up(self) -> list[str]:
        """Kill what is left; the titles of what should have gone by itself."""
        is_running = self.process is not None and self.process.poll() is None
        left = {} if is_running else self.processes()
        while living := self.processes():  # the last of them may still be forking
            for pid in living:
                try:
                    os.kill(pid, SIGKILL)
                except ProcessLookupError:
                    pass
        if self.process is not None:
            self.process.wait(10)
        return list(left.values())


def read_all(connection: socket.socket) -> bytes:
    """Read until the end, or a reset."""
    data = b""
    try:
        while part := connection.recv(65536):
            data += part
    except ConnectionResetError:
        data += b"[RESET]"
    return data
