"""prefork.system.refusal: why a file that is there is not executed."""

import os
import subprocess
from errno import EACCES, ENOENT, ENOEXEC
from pathlib import Path

import pytest

from prefork.system.refusal import explain_refusal


def refuse(file: Path) -> OSError:
    """What the kernel says."""
    file.chmod(0o755)
    with pytest.raises(OSError, match=file.name) as refusal:
        subprocess.run([str(file)], check=False)
    return refusal.value


@pytest.mark.parametrize(
    ("content", "number", "reason"),
    [
        (
            b"#! /no/such/interpreter -x\necho\n",
            ENOENT,
            "what it needs to run is not there: '/no/such/interpreter -x'",
        ),
        (b"#!/bin/sh\r\n", ENOENT, r"what it needs to run is not there: '/bin/sh\r'"),
        (
            b"echo\n",
            ENOEXEC,
            "it is no program of this machine, and its first line has no #!",
        ),
    ],
)
def test_says_what_to_look_for(
    tmp_path: Path, content: bytes, number: int, reason: str
) -> None:
    file = tmp_path / "it"
    file.write_bytes(content)
    for name in (str(file), os.fsencode(file)):
        error = explain_refusal(refuse(file), name)
        assert (error.errno, error.strerror) == (number, reason)


def test_a_binary_may_lack_its_own_interpreter(tmp_path: Path) -> None:
    file = tmp_path / "it"
    file.write_bytes(Path("/bin/true").read_bytes().replace(b"/lib64/ld", b"/lib65/ld"))
    if b"/lib65/ld" not in file.read_bytes():
        pytest.skip("a loader of another name")
    reason = "what it needs to run is not there: its ELF interpreter"
    assert explain_refusal(refuse(file), str(file)).strerror == reason


def test_other_reasons_are_told_as_they_are(tmp_path: Path) -> None:
    for error in (OSError(EACCES, "Permission denied"), OSError(ENOENT, "No such")):
        assert explain_refusal(error, str(tmp_path / "none")) is error
