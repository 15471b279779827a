"""What a request costs in system calls, as strace(1) counts them."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from serving import Server, eventually
from serving.wire import Wire

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed"),
]

REQUESTS = 20


class Trace:
    """The system calls of one process, line by line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @property
    def calls(self) -> list[str]:
        lines = self._path.read_text(errors="replace").splitlines()
        return [line for line in lines if re.match(r"\w+\(", line)]

    def named(self, name: str) -> list[str]:
        return [call for call in self.calls if call.startswith(f"{name}(")]


@contextmanager
def traced(pid: int, directory: Path) -> Iterator[Trace]:
    """Trace a process while the block runs."""
    path = directory / "strace.log"
    command = ["strace", "-s", "1000", "-o", str(path), "-p", str(pid)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as strace:
        assert strace.stderr is not None
        first_words = strace.stderr.readline()
        if "attached" not in first_words:
            pytest.skip(f"may not trace: {first_words.strip()}")
        try:
            yield Trace(path)
        finally:
            strace.terminate()  # it detaches, and leaves the process as it was


def test_a_request_of_its_own_connection_takes_eight_calls(server: Server) -> None:
    server.start("-w", "1")
    with traced(server.workers()[0], server.directory) as trace:
        for _ in range(REQUESTS):
            server.get("/")
    assert len(trace.calls) / REQUESTS <= 8, trace.calls


def test_a_request_of_a_kept_connection_takes_four_calls(server: Server) -> None:
    server.start("-w", "1")
    with (
        Wire(server.connect()) as wire,
        traced(server.workers()[0], server.directory) as trace,
    ):
        for _ in range(REQUESTS):
            wire.request("/")
            assert wire.read_answer().status == 200
    assert len(trace.calls) / REQUESTS <= 4, trace.calls


@pytest.mark.parametrize("path", ["/", "/stream"])
def test_head_and_first_chunk_leave_together(server: Server, path: str) -> None:
    server.start("-w", "1")
    with traced(server.workers()[0], server.directory) as trace:
        server.get(path)
    heads = [call for call in trace.named("write") if "HTTP/1.1 200 OK" in call]
    assert len(heads) == 1
    assert "hello" in heads[0] or "chunk 0" in heads[0]


def test_a_file_is_sent_by_the_kernel(server: Server, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.write_bytes(b"x" * (4 << 20))
    server.start("-w", "1")
    with traced(server.workers()[0], server.directory) as trace:
        assert server.get(f"/file?path={path}") == (200, path.read_bytes())

        def is_sent() -> bool:
            """The client may have all of it before the last call has returned."""
            ends = [re.search(r"= (\d+)$", call) for call in trace.named("sendfile")]
            return sum(int(end[1]) for end in ends if end) == 4 << 20

        eventually(is_sent)
