"""A stage for spawn-fcgi and its stand-in: a case is set up, run, looked at, cleared.

What is seen is told in words that do not depend on the run: $BASE is where a program
is started, $W the directory that it works in, $PORT some free port, <PID1> the first
child, and <gone> the pid of one that has ended.
"""

import ctypes
import json
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from serving.eventually import eventually
from serving.front_end import find_port
from serving.onlooker import ORDINARY, children_of_ours, describe, describe_file
from serving.scenes import SCENES

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "HOME": "/root"}
NOBODY = 65534
CHANCES = 8
LONGEST_PATH = 107  # bytes: unix(7)
VERSION = re.compile(r"\A(spawn|prefork)-fcgi v[\d.]+ .*\n\Z")
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h

Case = dict[str, Any]
Result = dict[str, Any]  # status, stdout, stderr, files, children


class Stage:
    """One directory, where one case runs after the other."""

    def __init__(self, base: Path, probe: Path) -> None:
        base.chmod(0o755)
        self.base = base
        self.work = base / "g"
        self._probe = probe

    def play(self, case: Case, program: Path) -> Result:
        """Run a case until what is seen is what was recorded, or patience is out.

        Where a child has to fail within 100 ms it may be the fault of a busy machine
        if it does not: such a case has several chances.
        """
        recorded = complete(case["recorded"])
        for _ in range(CHANCES if ": child " in recorded["stderr"] else 1):
            seen = self._play_once(case, program, recorded)
            if seen == recorded:
                break
        return seen

    def _play_once(self, case: Case, program: Path, recorded: Result) -> Result:
        with self._scene(case, program) as names, adopting_orphans():
            act = Act(case, program, names)
            try:
                eventually(lambda: act.look() == recorded, within=3)
            except (AssertionError, OSError):
                pass  # the caller compares, and shows the difference
            finally:
                act.end()
            return act.seen

    @contextmanager
    def _scene(self, case: Case, program: Path) -> Iterator[dict[str, str]]:
        """Set up what the case finds; yield what the names in it stand for."""
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir()
        self.work.chmod(0o777)
        shutil.copy(self._probe, self.work / "probe")
        port = find_port()
        scenes = SCENES | {
            "live_tcp": lambda _: socket.create_server(("127.0.0.1", port), backlog=1),
            "suid_copy": lambda work: copy_with_suid(program, work / "suid"),
        }
        left = scenes[case["scene"]](self.work) if "scene" in case else None
        yield self._names(port)
        if left:
            left.close()

    def _names(self, port: int) -> dict[str, str]:
        room = LONGEST_PATH - len(f"{self.work}/")
        return {
            "$TOO_LONG": f"{self.work}/{'x' * (room + 1)}",
            "$LONGEST": f"{self.work}/{'x' * room}",
            "$PORT": str(port),
            "$WRAPPED": str(port + 2**16),
            "$NEGATIVE": str(port - 2**16),
            "$PRIVILEGED": str(free_port(range(1023, 600, -1))),
            "$W": str(self.work),  # after $WRAPPED, which begins with it
            "$BASE": str(self.base),
        }


class Act:
    """A case that runs, and what was last seen of it."""

    def __init__(self, case: Case, program: Path, names: dict[str, str]) -> None:
        self._case = case
        self._names = names
        self._before = children_of_ours()
        self._process = self._start(program)
        self._said = {"stdout": b"", "stderr": b""}
        self.seen: Result = {}

    def _start(self, program: Path) -> subprocess.Popen[bytes]:
        nobody: dict[str, Any] = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        file = self._expand(self._case.get("program", str(program)))
        process = subprocess.Popen(
            ["spawn-fcgi", *map(self._expand, self._case["argv"])],
            executable=file,
            env=ENVIRONMENT | self._case.get("env", {}),
            cwd=self._expand(self._case.get("cwd", "$BASE")),
            umask=int(self._case.get("umask", "022"), 8),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            close_fds=False,
            preexec_fn=self._arrange,
            **(nobody if self._case.get("as_nobody") else {}),
        )
        for pipe in process.stdout, process.stderr:
            os.set_blocking(pipe.fileno(), False)
        return process

    def _arrange(self) -> None:
        """In the child: descriptors and signals as the case has them."""
        for name in os.listdir("/proc/self/fd"):
            if int(name) > 2 and os.path.exists(f"/proc/self/fd/{name}"):
                os.set_inheritable(int(name), False)
        for number in self._case.get("opened", []):
            fd = os.open("/etc/hostname", os.O_RDONLY)
            os.dup2(fd, number)
            if fd != number:
                os.close(fd)
        for name in self._case.get("ignored", []):
            signal.signal(signal.Signals[name], signal.SIG_IGN)
        for number in self._case.get("closed", []):
            os.close(number)

    def look(self) -> Result:
        """See what there is to be seen at this moment."""
        status = self._process.poll()
        self._listen()
        pids = sorted(self._reap())
        files = [each["path"] for each in self._case["recorded"].get("files", [])]
        self.seen = {
            "status": status,
            **{name: self._format_output(said) for name, said in self._said.items()},
            "files": [describe_file(self._expand(path)) for path in files],
            "children": [describe(pid, ENVIRONMENT) for pid in pids],
        }
        self.seen = self._abstract(self.seen, pids)
        return self.seen

    def _listen(self) -> None:
        for name, said in self._said.items():
            pipe = getattr(self._process, name)
            self._said[name] = said + (pipe.read() or b"")

    def _reap(self) -> set[int]:
        """Let those go who have ended; the pids of the others."""
        living = children_of_ours() - self._before
        for pid in living - {self._process.pid}:
            os.waitpid(pid, os.WNOHANG)
        return children_of_ours() - self._before

    def _format_output(self, said: bytes) -> str:
        text = said.decode()
        if text.startswith("Usage: "):
            return "<help>"
        return "<version>" if VERSION.match(text) else text

    def _abstract(self, seen: Result, pids: list[int]) -> Result:
        """Say it in words that are the same in every run."""
        for each in [seen, *seen["files"]]:
            for key in {"stdout", "content"} & set(each):
                for number, pid in enumerate(pids, start=1):
                    each[key] = re.sub(rf"\b{pid}\b", f"<PID{number}>", each[key])
        seen["stdout"] = re.sub(r"PID: \d+", "PID: <gone>", seen["stdout"])
        text = json.dumps(seen)
        for name, value in self._names.items():
            text = re.sub(rf"(?<!\d){value}(?!\d)", name, text)
        most = Path("/proc/sys/net/core/somaxconn").read_text().strip()
        return json.loads(re.sub(rf"backlog={most}\b", "backlog=$SOMAXCONN", text))

    def _expand(self, text: str) -> str:
        for name, value in self._names.items():
            text = text.replace(name, value)
        return text

    def end(self) -> None:
        """Kill whoever is left, and whoever they leave behind."""
        while living := children_of_ours() - self._before:
            for pid in living:
                os.kill(pid, signal.SIGKILL)
            for pid in living - {self._process.pid}:
                os.waitpid(pid, 0)
            self._process.wait()
        for pipe in self._process.stdout, self._process.stderr:
            pipe.close()


def complete(recorded: Result) -> Result:
    """What was recorded, with all that went without saying."""
    children = [ORDINARY | child for child in recorded.get("children", [])]
    return {"files": [], **recorded, "children": children}


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Have the children of what we started become ours when it ends: prctl(2)."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def free_port(candidates: range) -> int:
    """A port of loopback that nobody listens on."""
    for port in candidates:
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return int(sock.getsockname()[1])
    raise AssertionError("every port is taken")


def copy_with_suid(program: Path, copy: Path) -> None:
    shutil.copy(program, copy)
    copy.chmod(0o4755)
