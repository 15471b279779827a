"""What lies in the directory before a program is spawned there, by name."""

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path


def bind(path: Path, kind: int = socket.SOCK_STREAM) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, kind)
    sock.bind(str(path))
    return sock


def listen(path: Path, *, mode: int = 0o755) -> socket.socket:
    sock = bind(path)
    path.chmod(mode)
    sock.listen(5)
    return sock


def leave_socket(path: Path) -> None:
    listen(path, mode=0o600).close()


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text)
    path.chmod(mode)


def write_unfit(work: Path) -> None:
    write(work / "noexec", "x")
    write(work / "noshebang", "sleep 100\n", 0o755)


def link_to_file(work: Path) -> None:
    write(work / "target", "keep\n")
    (work / "s").symlink_to(work / "target")


def link_to_pid_file(work: Path) -> None:
    write(work / "real.pid", "old")
    (work / "p.pid").symlink_to(work / "real.pid")


def build_jail(work: Path) -> None:
    for name in "jail", "jail/run", "jail/app":
        (work / name).mkdir()
        (work / name).chmod(0o777)
    shutil.copy(work / "probe", work / "jail" / "probe")


def own_directory(work: Path) -> None:
    (work / "ro").mkdir(mode=0o755)


def leave_socket_in_own_directory(work: Path) -> None:
    own_directory(work)
    leave_socket(work / "ro" / "s")


# What is returned stays open until the case is over.
SCENES: dict[str, Callable[[Path], socket.socket | None]] = {
    "live_unix": lambda work: listen(work / "s"),
    "live_noperm": lambda work: listen(work / "s", mode=0o600),
    "stale_unix": lambda work: leave_socket(work / "s"),
    "bound_not_listening": lambda work: bind(work / "s"),
    "dgram_live": lambda work: bind(work / "s", socket.SOCK_DGRAM),
    "regfile_at_sock": lambda work: write(work / "s", "precious\n"),
    "dir_at_sock": lambda work: (work / "s").mkdir(),
    "symlink_at_sock": link_to_file,
    "dangling_symlink": lambda work: (work / "s").symlink_to(work / "real-s"),
    "old_pid": lambda work: write(work / "p.pid", "12345678 old junk\nmore\n", 0o600),
    "pid_dir": lambda work: (work / "p.pid").mkdir(),
    "pid_fifo": lambda work: os.mkfifo(work / "p.pid"),
    "pid_symlink": link_to_pid_file,
    "pid_dangling": lambda work: (work / "p.pid").symlink_to(work / "real.pid"),
    "chroot_dir": build_jail,
    "subdir": lambda work: (work / "d").mkdir(),
    "privdir": lambda work: (work / "priv").mkdir(mode=0o700),
    "rootdir": own_directory,
    "stale_foreign": leave_socket_in_own_directory,
    "noexec": write_unfit,
    "script": lambda work: write(work / "a b.sh", "#!/bin/sh\nexec sleep 100\n", 0o755),
}
