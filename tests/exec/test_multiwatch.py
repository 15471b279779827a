"""prefork-fcgi before multiwatch, as spawn-fcgi has been used with it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from serving import eventually
from serving import fastcgi as wire
from serving.server import ROOT

pytestmark = [pytest.mark.process, pytest.mark.counterpart]


@pytest.mark.skipif(
    not shutil.which("multiwatch"), reason="multiwatch is not installed"
)
def test_multiwatch_gets_the_socket_and_hands_it_on(
    tmp_path: Path, program: str
) -> None:
    place = tmp_path / "it.sock"
    command = [sys.executable, "-m", "prefork.cli.fcgi", "-n", "-s", str(place)]
    watch = subprocess.Popen(
        [*command, "--", str(shutil.which("multiwatch")), "-f", "2", "--", program],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    try:
        eventually(lambda: len(psutil.Process(watch.pid).children()) == 2)
        with wire.connect(str(place)) as connection:
            connection.send(wire.get("/"))
            answer = connection.read_rest()
        copies = [child.pid for child in psutil.Process(watch.pid).children()]
        assert any(str(pid).encode() in answer for pid in copies)
    finally:
        watch.send_signal(signal.SIGTERM)
        assert watch.wait(20) == 0
