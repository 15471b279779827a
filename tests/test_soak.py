"""A short soak: `python tests/soak.py --seconds 3600` is a long one."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]

SOAK = Path(__file__).with_name("soak.py")


@pytest.mark.parametrize("seed", ["11", "12"])
def test_whatever_happens_nobody_fails_but_who_was_on_a_killed_worker(
    seed: str,
) -> None:
    """Behaviour 85."""
    command = [sys.executable, SOAK, "--seconds", "8", "--seed", seed]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
