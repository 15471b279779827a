"""Reaching somebody to ask; and why that was not possible."""

import os
import socket
import sys
from pathlib import Path

import pytest

from prefork.errors import TimedOut, Unreachable
from prefork.system.address import Address, AddressKind
from prefork.system.reach import AskedProgram, reach


def test_reaches_every_kind_of_address(tmp_path: Path) -> None:
    name = f"test/{os.getpid()}"
    places = {
        Address(AddressKind.UNIX, path=f"{tmp_path}/s"): f"{tmp_path}/s",
        Address(AddressKind.ABSTRACT, path=name): f"\0{name}",
    }
    for address, place in places.items():
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(place)
            listener.listen()
            reach(address, within=5).close()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        reach(Address(AddressKind.TCP, host="localhost", port=port), within=5).close()


def test_says_why_nobody_is_there(tmp_path: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        reach(Address(AddressKind.UNIX, path=f"{tmp_path}/none"), within=5)
    expected = f"cannot connect to unix:{tmp_path}/none: no such file or directory"
    assert str(caught.value) == expected
    assert caught.value.exit_status == 7


def test_a_queue_that_stays_full_is_too_late(tmp_path: Path) -> None:
    address = Address(AddressKind.UNIX, path=f"{tmp_path}/s")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address.path)
        listener.listen(0)
        with reach(address, within=5), pytest.raises(TimedOut) as caught:
            reach(address, within=0.05)
        assert caught.value.exit_status == 28


def write_program(path: Path, text: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)
    return path


@pytest.mark.process
def test_a_program_runs_in_its_directory_with_its_variables(tmp_path: Path) -> None:
    path = write_program(
        tmp_path / "program",
        "import os\n"
        "print(os.getcwd(), os.environb[b'X'], sorted(os.environ), input())\n",
    )
    program = AskedProgram(path, {"X": b"\xff"})
    os.write(program.input, b"typed\n")
    program.end_input()
    output = os.read(program.output, 4096).decode()
    program.end()
    assert output.startswith(f"{tmp_path} b'\\xff' ")
    assert output.endswith(" typed\n")
    assert "HOME" not in output and "'PATH'" in output


@pytest.mark.process
def test_a_program_is_not_left_running(tmp_path: Path) -> None:
    path = write_program(
        tmp_path / "program",
        "import os, time\nos.fork()\nos.write(1, b'x')\ntime.sleep(600)\n",
    )
    program = AskedProgram(path, {})
    twice = os.read(program.output, 1) + os.read(program.output, 1)
    end = os.dup(program.output)
    program.end()
    assert twice == b"xx"
    assert os.read(end, 1) == b""  # so both are gone
    os.close(end)


def test_a_program_that_is_none_is_said_to_be(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"cannot run .*: permission denied"):
        AskedProgram(tmp_path, {})
