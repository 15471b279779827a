"""The figure that README has of CGI programs can be measured by whoever doubts it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[1] / "cgi_bench.py"

pytestmark = [
    pytest.mark.process,
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed"),
]


def test_the_cost_of_a_start_is_measured() -> None:
    """Of so few requests the figure itself says nothing."""
    command = [sys.executable, BENCH, "--rounds", "1", "--requests", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert re.search(r"gateway [\d.]+ times that .*, whole worker [\d.]+$", done.stdout)
    assert not done.stderr
