"""Lines leave whole and at once, or are dropped and counted."""

import os
import pty
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from prefork.monitor.outlet import LONGEST_KEPT, ErrorStream, Outlet, open_file

ROOT = Path(__file__).parents[2]  # where the package is
LINE = b"x" * 99 + b"\n"
MANY = 5000  # times LINE is more than any buffer here holds


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    yield reader, writer
    os.close(reader)
    os.close(writer)


def read_all(fd: int) -> bytes:
    data = b""
    try:
        while piece := os.read(fd, 1 << 20):
            data += piece
    except BlockingIOError:
        pass
    return data


def flood(outlet: Outlet, line: bytes = LINE) -> int:
    """Write more than fits; return how many lines were taken."""
    return sum(outlet.write(line) for _ in range(MANY))


# Never blocking, whatever the descriptor is


def test_a_full_pipe_drops_lines_and_counts_them(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(writer)
    taken = flood(outlet)
    assert outlet.dropped == MANY - taken > 0
    assert read_all(reader) == LINE * taken
    assert outlet.write(b"again\n")
    assert read_all(reader) == b"again\n"
    outlet.close()


def test_the_pipe_of_others_stays_a_blocking_one(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    flood(outlet)
    assert os.get_blocking(pipe[1])
    outlet.close()


def test_a_pipe_that_cannot_be_opened_does_not_block_either(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> int:
        raise PermissionError

    with monkeypatch.context() as context:
        context.setattr(os, "open", refuse)
        outlet = Outlet(pipe[1])
    taken = flood(outlet)
    assert outlet.dropped == MANY - taken > 0
    assert read_all(pipe[0]) == LINE * taken
    assert outlet.write(LINE * 100), "longer than PIPE_BUF, in several writes"
    assert read_all(pipe[0]) == LINE * 100


def test_a_full_socket_drops_lines_and_stays_open() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        outlet = Outlet(ours.fileno())
        taken = flood(outlet)
        assert outlet.dropped >= MANY - taken > 0
        theirs.setblocking(False)
        assert read_all(theirs.fileno()).startswith(LINE * (taken - 1))
        assert ours.getblocking()
        outlet.close()
        ours.send(b"still open")


def test_a_terminal_that_nobody_reads_drops_lines() -> None:
    master, slave = pty.openpty()
    outlet = Outlet(slave)
    assert flood(outlet) < MANY
    outlet.close()
    os.close(master)
    os.close(slave)


def test_a_hundred_megabytes_that_nobody_reads_cost_no_waiting(
    pipe: tuple[int, int],
) -> None:
    outlet = Outlet(pipe[1])
    line = b"x" * 9_999 + b"\n"
    taken = sum(outlet.write(line) for _ in range(10_000))
    assert outlet.dropped == 10_000 - taken > 9_900
    outlet.close()


# A line that is taken in part


def test_the_end_of_a_line_cut_by_a_full_pipe_follows(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(writer)
    long = b"y" * 100_000 + b"\n"
    assert outlet.write(long)
    assert not outlet.write(b"no room\n")
    first = read_all(reader)
    assert outlet.write(b"next\n")
    assert first + read_all(reader) == long + b"next\n"
    assert outlet.dropped == 1
    outlet.close()


def test_whole_lines_after_the_cut_one_are_counted(pipe: tuple[int, int]) -> None:
    reader, writer = pipe
    outlet = Outlet(writer)
    assert outlet.write(LINE * MANY)
    first = read_all(reader)
    assert outlet.write(b"next\n")
    assert first + read_all(reader) == LINE * (MANY - outlet.dropped) + b"next\n"
    assert outlet.dropped > 0
    outlet.close()


def test_no_more_than_one_line_is_kept(pipe: tuple[int, int]) -> None:
    outlet = Outlet(pipe[1])
    outlet.write(b"y" * (1 << 20) + b"\n")
    read_all(pipe[0])
    assert not outlet.write(b"first\n"), "the rest and it do not fit"
    rest = read_all(pipe[0])
    assert outlet.write(b"second\n")
    assert rest + read_all(pipe[0]) == b"y" * LONGEST_KEPT + b"\nsecond\n"
    outlet.close()


# Errors are counted, never raised


def test_nobody_reads_any_more() -> None:
    reader, writer = os.pipe()
    outlet = Outlet(writer)
    os.close(reader)
    too_late = Outlet(writer)  # cannot even be opened: ENXIO
    assert not outlet.write(LINE)
    assert not too_late.write(LINE)
    assert (outlet.dropped, too_late.dropped) == (1, 1)
    outlet.close()
    os.close(writer)


def test_the_disk_is_full() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(full)
    assert not outlet.write(b"one\ntwo\n")
    assert outlet.dropped == 2
    outlet.close()
    os.close(full)


def test_the_descriptor_is_closed() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    os.close(writer)
    outlet = Outlet(writer)
    assert not outlet.write(LINE)
    assert outlet.dropped == 1


def test_what_is_only_offered_does_not_count() -> None:
    outlet = Outlet(-1)
    assert not outlet.offer(LINE)
    assert outlet.dropped == 0


# Files, and going on in another


def test_reopening_keeps_the_number(tmp_path: Path) -> None:
    fd = open_file(str(tmp_path / "old"))
    outlet = Outlet(fd)
    outlet.write(b"one\n")
    new = open_file(str(tmp_path / "new"))
    outlet.reopen(new)
    os.close(new)
    outlet.write(b"two\n")
    assert outlet.fd == fd
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert (tmp_path / "old").read_text() == "one\n"
    assert (tmp_path / "new").read_text() == "two\n"


def test_reopening_goes_from_a_pipe_to_a_file(
    pipe: tuple[int, int], tmp_path: Path
) -> None:
    writer = os.dup(pipe[1])
    outlet = Outlet(writer)
    outlet.write(b"y" * 100_000 + b"\n")
    new = open_file(str(tmp_path / "log"))
    outlet.reopen(new)
    os.close(new)
    assert outlet.dropped == 1, "the end of the long line"
    outlet.write(b"two\n")
    os.close(writer)
    assert (tmp_path / "log").read_text() == "two\n"


def test_opening_a_fifo_without_a_reader_does_not_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(OSError, match="No such device"):
        open_file(str(tmp_path / "fifo"))


WRITER = """
import os, sys
from prefork.monitor.outlet import Outlet, open_file

name, path, lines = sys.argv[1], sys.argv[2], int(sys.argv[3])
outlet = Outlet(open_file(path))
for number in range(lines):
    while number in (500, 1000) and not os.path.exists(f"{path}.{number // 500}"):
        pass  # it is not rotated for the first time, or the second
    assert outlet.write(f"{name} {number} {'x' * 200}\\n".encode())
    if number % 50 == 0:
        new = open_file(path)
        outlet.reopen(new)
        os.close(new)
"""


@pytest.mark.process
def test_rotation_while_others_write_loses_no_line(tmp_path: Path) -> None:
    log, lines, names = tmp_path / "log", 2000, "abc"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, name, str(log), str(lines)], cwd=ROOT
        )
        for name in names
    ]
    rotations = 0
    while any(writer.poll() is None for writer in writers):
        if log.exists():
            rotations += 1
            log.rename(f"{log}.{rotations}")
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    assert rotations > 1
    written = "".join(part.read_text() for part in tmp_path.iterdir()).splitlines()
    expected = [f"{n} {i} {'x' * 200}" for n in names for i in range(lines)]
    assert sorted(written) == sorted(expected)


# The stream that applications get


@pytest.fixture
def stream(pipe: tuple[int, int]) -> Iterator[ErrorStream]:
    outlet = Outlet(pipe[1])
    yield ErrorStream(outlet)
    outlet.close()


def test_a_printed_line_leaves_when_it_is_complete(
    pipe: tuple[int, int], stream: ErrorStream
) -> None:
    print("a", "b", file=stream, end="")
    assert read_all(pipe[0]) == b""
    print(" c\nd\nrest", file=stream, end="")
    assert read_all(pipe[0]) == b"a b c\nd\n"
    stream.flush()
    assert read_all(pipe[0]) == b"rest"
    stream.flush()
    assert read_all(pipe[0]) == b""


def test_a_line_without_end_is_not_collected_forever(
    pipe: tuple[int, int], stream: ErrorStream
) -> None:
    for _ in range(3):
        assert stream.write("x" * 30_000) == 30_000
    assert read_all(pipe[0]).startswith(b"x" * 65_536)


def test_lines_of_two_threads_are_not_mixed(
    pipe: tuple[int, int], stream: ErrorStream
) -> None:
    stream.write("one ")
    other = threading.Thread(target=stream.write, args=("two\n",))
    other.start()
    other.join()
    stream.write("three\n")
    assert read_all(pipe[0]) == b"two\none three\n"


def test_text_that_is_no_unicode_is_written_with_escapes(
    pipe: tuple[int, int], stream: ErrorStream
) -> None:
    stream.write("é \udcff\n")
    assert read_all(pipe[0]) == "é \\udcff\n".encode()


def test_it_looks_like_a_stderr(pipe: tuple[int, int], stream: ErrorStream) -> None:
    assert stream.fileno() == pipe[1]
    assert stream.writable()
    assert not stream.isatty()
    assert stream.encoding == "utf-8"
    stream.writelines(["a\n", "b\n"])
    assert read_all(pipe[0]) == b"a\nb\n"


def test_closing_it_does_not_silence_it(
    pipe: tuple[int, int], stream: ErrorStream
) -> None:
    stream.write("last words")
    stream.close()
    stream.write("\nmore\n")
    assert read_all(pipe[0]) == b"last words\nmore\n"


def test_the_application_does_not_notice_a_full_pipe(
    pipe: tuple[int, int], stream: ErrorStream
) -> None:
    for _ in range(MANY):
        print("x" * 99, file=stream)
    assert read_all(pipe[0])
