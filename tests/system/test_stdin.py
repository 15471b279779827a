"""prefork.system.stdin: what whoever started us has left of 0, 1 and 2."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.process

PROGRAM = """
import os
from prefork.system.stdin import fill_gaps
fill_gaps()
filled = [fd for fd in range(3) if os.readlink(f"/proc/self/fd/{fd}") == os.devnull]
assert all(os.get_inheritable(fd) for fd in range(3))
os._exit(sum(1 << fd for fd in filled))
"""


@pytest.mark.parametrize("closed", [(), (0,), (1,), (2,), (1, 2), (0, 1, 2)])
def test_what_is_closed_leads_to_nothing(closed: tuple[int, ...]) -> None:
    closing = " ".join(f"{fd}>&-" for fd in closed)
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        capture_output=True,
        check=False,
    )
    assert done.returncode == sum(1 << fd for fd in closed)
