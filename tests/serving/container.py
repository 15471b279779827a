"""A server in a container: PID 1 of a namespace, and as poor as container.sh says."""

import os
import subprocess
from pathlib import Path

from serving.server import ROOT, Server

UID = 12345
NAMESPACES = [
    "unshare",
    "--user",
    "--map-root-user",
    "--mount",
    "--pid",
    "--mount-proc",
]
FURNISH = ["sh", str(Path(__file__).with_suffix(".sh"))]
ENTER = [*NAMESPACES, "--fork", "--kill-child", "--", *FURNISH]


def why_not() -> str:
    """What this machine says to a container; "": nothing."""
    command = [*ENTER, "true"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        return str(error)
    return done.stderr if done.returncode else ""


class Container(Server):
    """Its directory, its port and its log are those of the test."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.wrapper = ENTER

    @property
    def pid(self) -> int:
        """Of its first process, as it is called out here."""
        (pid,) = children_of(super().pid)
        return pid

    def run_inside(self, command: list[str]) -> str:
        """What another process of the container prints, as of `docker exec`."""
        spaces = f"/proc/{super().pid}/ns"
        enter = [f"--user={spaces}/user", "--preserve-credentials"]
        enter += [f"--mount={spaces}/mnt", f"--pid={spaces}/pid_for_children"]
        done = subprocess.run(
            ["nsenter", *enter, "--", *command],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(each) for each in found.split()]
