"""A real systemd, PID 1 of namespaces of its own, on a throw-away copy of a tree.

It boots in about a second.  The checkout is seen inside as /opt/prefork; the network
is a loopback of its own, so ports are free.
"""

import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from serving.eventually import PATIENCE, eventually
from serving.server import ROOT

ENTER = ROOT / "tests" / "systemd" / "enter.sh"
NAMESPACES = ["--pid", "--mount", "--uts", "--ipc", "--cgroup", "--net"]
NEWER = Path("/var/cache/prefork-tests/trixie")  # a tree with systemd 257
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
UNITS = "/etc/systemd/system"
HALT = signal.SIGRTMIN + 3  # systemd(1): start halt.target
NEEDED = ["unshare", "nsenter", "setpriv", "pivot_root"]


def why_not(tree: Path) -> str:
    """Why there can be no systemd from this tree; "": there can."""
    if os.geteuid() != 0:
        return "a private systemd needs root"
    if not (tree / "lib/systemd/systemd").exists():
        return "systemd is not installed"
    if missing := [name for name in NEEDED if not shutil.which(name)]:
        return f"{', '.join(missing)} not installed"
    return "" if _cgroup_root() else "there is no cgroup2"


@dataclass(frozen=True, slots=True)
class Done:
    """How a command has ended."""

    code: int
    output: str  # of both kinds


class Systemd:
    """One such machine: booted when made, gone after halt()."""

    def __init__(self, tree: Path) -> None:
        self._since = time.time()  # what is older in the journal is not shown
        self._state = Path(mkdtemp(prefix="prefork-systemd-"))
        self._cgroup = _cgroup_root() / self._state.name
        self._cgroup.mkdir()
        self._outer = self._start(tree)
        self._pid = eventually(self._find_first_process)
        # It is outside of what it has started: inside it would be a process 0.
        (self._cgroup.parent / "cgroup.procs").write_text(str(self._outer.pid))
        private = Path(f"/proc/{self._pid}/root/run/systemd/private")
        eventually(lambda: private.is_socket() or self._died(), within=30)
        self.run("systemctl", "is-system-running", "--wait", check=False)
        self.version = int(self.run("systemctl", "--version").split()[1])

    def _start(self, tree: Path) -> subprocess.Popen[bytes]:
        join = f"echo $$ >{self._cgroup}/cgroup.procs && exec setsid unshare"
        join += (
            f" {' '.join(NAMESPACES)} --fork --kill-child=KILL --propagation private"
        )
        with (self._state / "console").open("wb") as console:
            return subprocess.Popen(
                ["sh", "-c", f'{join} sh "$@"', "-", ENTER, self._state, tree, ROOT],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )

    def _find_first_process(self) -> int:
        # sh has become setsid, unshare; which has one child.
        task = Path(f"/proc/{self._outer.pid}/task/{self._outer.pid}")
        return int(task.joinpath("children").read_text() or 0) or self._died()

    def _died(self) -> int:
        if self._outer.poll() is None:
            return 0
        raise RuntimeError((self._state / "console").read_text())

    # Commands inside

    def command(self, *command: str) -> list[str]:
        """What runs a command in there, from out here."""
        inside = ["nsenter", f"--target={self._pid}", "--mount", "--uts", "--ipc"]
        inside += ["--net", "--pid", "--cgroup", "--root", "--wd", "--"]
        clean = ["env", "-i", "HOME=/root", "LANG=C.UTF-8", f"PATH={PATH}"]
        return [*inside, *clean, "SYSTEMD_COLORS=0", "SYSTEMD_PAGER=", *command]

    def do(self, *command: str, within: float = 60.0, input: str = "") -> Done:
        """Run a command to its end."""
        done = subprocess.run(
            self.command(*command),
            input=input,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=within * PATIENCE,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout)

    def run(self, *command: str, check: bool = True, **options: object) -> str:
        """The output of a command, which has to succeed."""
        done = self.do(*command, **options)  # type: ignore[arg-type]
        if check and done.code:
            raise AssertionError(
                f"{command}: {done.code}\n{done.output}\n{self.tail()}"
            )
        return done.output.strip()

    def write(self, path: str, text: str, *, mode: str = "644") -> None:
        script = f'mkdir -p "$(dirname {path})" && cat >{path} && chmod {mode} {path}'
        self.run("sh", "-c", script, input=text)

    # Units

    def drop_in(self, unit: str, text: str, *, name: str = "test") -> None:
        """Change a unit."""
        self.write(f"{UNITS}/{unit}.d/{name}.conf", text)
        self.run("systemctl", "daemon-reload")

    def start(self, *units: str, **options: float) -> None:
        self.run("systemctl", "start", *units, **options)

    def show(self, unit: str, name: str) -> str:
        """A property of a unit."""
        return self.run("systemctl", "show", "--value", "-p", name, unit)

    def main_pid(self, unit: str) -> int:
        """Inside; 0: it does not run."""
        return int(self.show(unit, "MainPID"))

    def journal(self, unit: str, *options: str) -> str:
        """What it has said, and what was said of it, since forget()."""
        self.run("journalctl", "--sync")
        since = f"--since=@{self._since:.6f}"
        return self.run("journalctl", "-u", unit, "-o", "cat", since, *options)

    def tail(self) -> str:
        return self.do("journalctl", "-b", "-n", "60", "-o", "short-precise").output

    def forget(self) -> None:
        """Stop all units of tests, remove them; the journal begins anew."""
        names = "prefork*.service prefork*.socket"
        self.do(
            "sh",
            "-c",
            f"systemctl stop '{names.replace(' ', chr(39) + ' ' + chr(39))}'",
        )
        self.run("sh", "-c", f"rm -rf {UNITS}/prefork* /etc/prefork /run/prefork*")
        self.run("systemctl", "daemon-reload")
        self.do("systemctl", "reset-failed")
        self._since = time.time()

    # The end

    def halt(self) -> None:
        """Stop everything in there, and leave no trace."""
        if self._outer.poll() is None:
            os.kill(self._pid, HALT)
            try:
                self._outer.wait(15 * PATIENCE)
            except subprocess.TimeoutExpired:
                os.kill(self._pid, signal.SIGKILL)  # with PID 1 the others go
                self._outer.wait()
        eventually(self._remove_cgroups)
        shutil.rmtree(self._state)

    def _remove_cgroups(self) -> bool:
        for path, _, _ in os.walk(self._cgroup, topdown=False):
            os.rmdir(path)
        return True


def _cgroup_root() -> Path | None:
    """The control group, of version 2, that we are in."""
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    root = next((place for _, place, kind, *_ in mounts if kind == "cgroup2"), None)
    groups = Path("/proc/self/cgroup").read_text().splitlines()
    own = next((line[3:] for line in groups if line.startswith("0::")), None)
    return Path(root + own) if root and own else None
