"""What can be seen of a process from outside: proc(5), and ss for its sockets."""

import os
import re
import subprocess
from pathlib import Path
from typing import Any

# A child that there is nothing to be said of: the program, spawned by root.
ORDINARY: dict[str, Any] = {
    "cmdline": ["$W/probe"],
    "exe": "$W/probe",
    "cwd": "$BASE",
    "root": "/",
    "uid": ["0", "0", "0", "0"],
    "gid": ["0", "0", "0", "0"],
    "groups": [],
    "umask": "0022",
    "sigign": "0000000000000000",
    "sigblk": "0000000000000000",
    "sigcgt": "0000000000000000",
    "leads_session": True,
    "leads_group": True,
    "nice": "0",
    "environ": [],
    "fds": {
        "0": "unix listen path=$W/s backlog=1024",
        "1": "/dev/null",
        "2": "/dev/null",
    },
}

SIGNALS = ("sigign", "sigblk", "sigcgt")
KINDS = {0o14: "socket", 0o10: "file", 0o4: "dir", 0o12: "symlink", 0o1: "fifo"}


def children_of_ours() -> set[int]:
    """The children of this process, by whichever thread of it."""
    tasks = Path("/proc/self/task").iterdir()
    return {
        int(pid) for task in tasks for pid in (task / "children").read_text().split()
    }


def describe(pid: int, environment: dict[str, str]) -> dict[str, Any]:
    """Everything of ORDINARY; of the environment what is not in `environment`."""
    here = Path(f"/proc/{pid}")
    status = dict(
        line.split(":\t", 1) for line in (here / "status").read_text().splitlines()
    )
    stat = (here / "stat").read_text().rpartition(")")[2].split()
    given = {f"{name}={value}" for name, value in environment.items()}
    return {
        "cmdline": _split(here / "cmdline"),
        **{name: os.readlink(here / name) for name in ("exe", "cwd", "root")},
        **{name: status[name.title()].split() for name in ("uid", "gid", "groups")},
        "umask": status["Umask"],
        **{name: _signals(status[f"Sig{name[3:].title()}"]) for name in SIGNALS},
        "leads_session": int(stat[3]) == pid,
        "leads_group": int(stat[2]) == pid,
        "nice": stat[16],
        "environ": sorted(set(_split(here / "environ")) - given),
        "fds": _describe_descriptors(here),
    }


def _signals(mask: str) -> str:
    """Without 32 and 33: they are the C library's, and no program can reset them, so
    that whoever started these tests may have had them ignored."""
    return f"{int(mask, 16) & ~(0b11 << 31):016x}"


def _split(path: Path) -> list[str]:
    return path.read_bytes().decode().removesuffix("\0").split("\0")


def _describe_descriptors(process: Path) -> dict[str, str]:
    names = sorted((process / "fd").iterdir(), key=lambda each: int(each.name))
    return {each.name: _describe_descriptor(process, each.name) for each in names}


def _describe_descriptor(process: Path, number: str) -> str:
    what = os.readlink(process / "fd" / number)
    if what.startswith("pipe:"):
        what = "pipe"
    elif match := re.match(r"socket:\[(\d+)\]", what):
        what = _listening().get(match[1], "a socket that does not listen")
    flags = re.search(r"flags:\s+(\d+)", (process / "fdinfo" / number).read_text())
    bits = int(flags[1], 8)
    is_lost = " cloexec" if bits & os.O_CLOEXEC else ""
    return what + (" nonblock" if bits & os.O_NONBLOCK else "") + is_lost


def _listening() -> dict[str, str]:
    """The listening sockets of the system, by their inodes."""
    found = {}
    for line in _run_ss("-lxnH"):
        _, _, _, backlog, path, inode, *_ = line.split()
        found[inode] = f"unix listen path={path} backlog={backlog}"
    for line in _run_ss("-ltneH"):
        _, _, backlog, place, *_ = line.split()
        inode = re.search(r"ino:(\d+)", line)[1]
        only = re.search(r"v6only:\d", line)
        v6 = f" {only[0]}" if only else ""
        found[inode] = f"tcp listen {place} backlog={backlog}{v6}"
    return found


def _run_ss(options: str) -> list[str]:
    done = subprocess.run(["ss", options], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def describe_file(path: str) -> dict[str, Any]:
    """What `ls -l` would tell, and what is in it."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return {"path": path, "kind": "missing"}
    kind = KINDS[found.st_mode >> 12]
    told = {"path": path, "kind": kind, "mode": f"{found.st_mode & 0o7777:04o}"}
    told |= {"uid": found.st_uid, "gid": found.st_gid}
    if kind == "file":
        told["content"] = Path(path).read_text()
    if kind == "symlink":
        told["target"] = os.readlink(path)
    return told
