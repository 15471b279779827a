"""Fixtures: a systemd for the session, with prefork's units as contrib/ has them."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving.systemd import NEWER, Systemd, why_not
from serving.unit import Unit, furnish

PACKAGES = "systemd,systemd-sysv,dbus,libnss-systemd,libseccomp2,mount,procps"
PYTHON = "python3,python3-psutil,python3-setproctitle"


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(Path("/"), marks=pytest.mark.systemd, id="here"),
        pytest.param(NEWER, id="newer"),
    ],
)
def machine(request: pytest.FixtureRequest) -> Iterator[Systemd]:
    """One that is booted; of this system, and of a newer one if that can be had."""
    tree: Path = request.param
    if tree == NEWER and (reason := grow(tree)):
        pytest.skip(reason)
    if reason := why_not(tree):
        pytest.skip(reason)
    machine = Systemd(tree)
    try:
        furnish(machine)
        yield machine
    finally:
        machine.halt()


@pytest.fixture
def unit(machine: Systemd) -> Iterator[Unit]:
    """prefork.service and prefork.socket, not yet started."""
    machine.forget()
    unit = Unit(machine)
    yield unit
    print(machine.journal(unit.service))


def grow(tree: Path) -> str:
    """Make a small Debian with a newer systemd, once; why that cannot be, or ""."""
    if (tree / "lib/systemd/systemd").exists():
        return ""
    if not shutil.which("mmdebstrap"):
        return "mmdebstrap, which makes a tree with a newer systemd, is not installed"
    tree.parent.mkdir(parents=True, exist_ok=True)
    lean = [f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "locale")]
    include = f"--include={PACKAGES},{PYTHON}"
    done = subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=essential",
            *lean,
            include,
            "trixie",
            tree,
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        shutil.rmtree(tree, ignore_errors=True)
        return f"no tree with a newer systemd: {done.stderr.strip()[-300:]}"
    return ""
