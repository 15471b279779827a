"""prefork.system.daemon: leave the terminal, after saying how it went."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

PACKAGE = Path(__file__).parents[2]
BEGIN = """
import os, sys, time
from prefork.system.daemon import detach
handshake = detach()
"""


def start(program: str, **options: object) -> subprocess.Popen[str]:
    """Run the foreground process of a daemon that does `program`."""
    return subprocess.Popen(
        [sys.executable, "-c", BEGIN + program],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options},
    )


def finish(program: str) -> tuple[int, str, str]:
    """Its exit status and what it printed, its daemon's output included."""
    with start(program) as foreground:
        out, err = foreground.communicate(timeout=10)
    return foreground.returncode, out, err


def test_the_foreground_process_exits_when_the_daemon_is_ready() -> None:
    # A stdout that stayed open would have communicate() wait for the daemon's end.
    gate, open_gate = os.pipe()
    program = f"handshake.ready(); os.read({gate}, 1)"
    with start(program, pass_fds=[gate]) as foreground:
        assert foreground.communicate(timeout=10) == ("", "")
    assert foreground.returncode == 0
    os.close(gate)
    os.close(open_gate)  # the daemon reads EOF, and leaves


def test_the_foreground_process_waits_until_then() -> None:
    gate, open_gate = os.pipe()
    program = f"os.read({gate}, 1); handshake.ready()"
    with start(program, pass_fds=[gate]) as foreground:
        with pytest.raises(subprocess.TimeoutExpired):
            foreground.wait(timeout=0.1)
        os.write(open_gate, b"!")
        assert foreground.wait(timeout=10) == 0
    os.close(gate)
    os.close(open_gate)


def test_a_failed_start_is_seen_where_it_was_typed() -> None:
    status, out, err = finish(
        "print('trying'); sys.stdout.flush(); sys.stderr.write('no such module');"
        "handshake.failed(70)"
    )
    assert (status, out, err) == (70, "trying\n", "no such module")


@pytest.mark.parametrize("death", ["os._exit(0)", "os.kill(os.getpid(), 9)"])
def test_says_so_when_the_daemon_dies_without_a_word(death: str) -> None:
    status, _, err = finish(death)
    assert status == 1
    assert err == "prefork: the daemon died while it was starting\n"


def test_what_was_said_first_stands() -> None:
    assert finish("handshake.ready(); handshake.failed(70)")[0] == 0


def test_has_a_session_of_its_own_and_does_not_lead_it() -> None:
    _, out, _ = finish(
        "print(os.getpid() != os.getsid(0), os.getppid(), len(os.read(0, 9)),"
        "flush=True); handshake.ready()"
    )
    is_no_leader, parent, length_of_stdin = out.split()
    assert is_no_leader == "True"
    assert int(parent) != os.getpid()
    assert length_of_stdin == "0"


def test_is_silent_once_it_is_ready() -> None:
    status, out, err = finish(
        "handshake.ready(); print('hello', flush=True); sys.stderr.write('hello')"
    )
    assert (status, out, err) == (0, "", "")


def test_keeps_stderr_when_told_to() -> None:
    _, out, err = finish(
        "handshake.ready(keep_stderr=True); print('hello', flush=True);"
        "sys.stderr.write('kept')"
    )
    assert (out, err) == ("", "kept")


def test_keeps_output_that_goes_to_a_file(tmp_path: Path) -> None:
    log = tmp_path / "log"
    end, daemon_end = os.pipe()
    program = "handshake.ready(); sys.stderr.write('kept')"
    with (
        log.open("w") as file,
        start(program, stderr=file, pass_fds=[daemon_end]) as foreground,
    ):
        assert foreground.wait(timeout=10) == 0
    os.close(daemon_end)
    assert os.read(end, 1) == b""  # the daemon has left
    os.close(end)
    assert log.read_text() == "kept"


def test_prints_what_is_buffered_once() -> None:
    program = f"sys.stdout.write('once')\n{BEGIN}\nhandshake.ready(keep_stderr=True)"
    with subprocess.Popen(
        [sys.executable, "-c", "import sys\n" + program],
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
        stdout=subprocess.PIPE,
    ) as foreground:
        assert foreground.communicate(timeout=10)[0] == b"once"


def test_an_interrupted_start_leaves_no_daemon() -> None:
    gate, open_gate = os.pipe()
    end, daemon_end = os.pipe()
    program = f"""
from prefork.errors import SystemRefusal
print("up", flush=True)
os.read({gate}, 1)
try:
    handshake.ready()
except SystemRefusal:
    os.write({daemon_end}, b"refused")
"""
    with start(program, pass_fds=[gate, daemon_end]) as foreground:
        assert foreground.stdout is not None
        assert foreground.stdout.readline() == "up\n"
        foreground.send_signal(signal.SIGINT)
        assert foreground.wait(timeout=10) == -signal.SIGINT
        os.write(open_gate, b"!")
        os.close(daemon_end)
        assert os.read(end, 100) == b"refused"
    for fd in gate, open_gate, end:
        os.close(fd)
