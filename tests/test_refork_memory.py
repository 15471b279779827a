"""A small measurement: `python tests/refork_memory.py` is one of eight workers."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.process, pytest.mark.slow]

SCRIPT = Path(__file__).with_name("refork_memory.py")


def test_workers_have_less_for_themselves_after_a_refork() -> None:
    """Behaviour 75."""
    command = [sys.executable, SCRIPT, "--workers", "3", "--requests", "60"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    print(done.stdout, done.stderr)
    assert done.returncode == 0
    before, after = re.findall(r"USS .* (\d+) MB, reforked (\d+) MB", done.stdout)[0]
    assert int(after) < 0.9 * int(before)
