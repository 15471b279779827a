"""Local sockets: where an operator and a master meet, and who the other is.

By default a master listens on an abstract name, @prefork/<pid> (unix(7)): no file,
so nothing is left behind, a read-only root will do, and no two masters collide.
Everybody on the machine may connect to such a name, and anybody may take it, so
each side asks the kernel for the other's pid and uid (SO_PEERCRED).
"""

import errno
import os
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from prefork.errors import SystemRefusal
from prefork.system.address import Address, AddressKind, parse_bind
from prefork.system.listen import Listener, open_listener

AUTOMATIC, NOWHERE = "auto", "none"
BACKLOG = 128  # who finds it full waits; the master accepts all that wait at once
ROOT = 0
# Masters with the same pid, each in a container of its own, that share a network.
NAMES = 100
_OURS = re.compile(r"@prefork/\d+(\.\d+)?")
_LISTENING = "00010000"  # __SO_ACCEPTCON, in the flags of /proc/net/unix
_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_TIMEVAL = struct.Struct("@ll")  # struct timeval: seconds, microseconds


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end; of a listener: who called listen()."""

    pid: int  # 0: of another pid namespace
    uid: int

    def may_command_us(self) -> bool:
        """Is it the same user as we are, or root?"""
        return self.uid in (ROOT, os.geteuid())

    def would_hear_us(self) -> bool:
        """Would it say the same of us?"""
        return os.geteuid() in (ROOT, self.uid)


def peer_of(connection: socket.socket) -> Peer:
    """Ask the kernel, who has it from connect() and listen()."""
    data = connection.getsockopt(
        socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size
    )
    pid, uid, _ = _CREDENTIALS.unpack(data)
    return Peer(pid, uid)


def open_control_listener(where: str) -> Listener | None:
    """Listen for operators: a path, @NAME, `auto`, or `none`.  SystemRefusal."""
    if where == NOWHERE:
        return None
    if where != AUTOMATIC:
        return _open(parse_bind(f"unix:{where}"))
    # A master of another pid namespace may have our pid, and so our name.
    for more in ("", *(f".{number}" for number in range(1, NAMES))):
        try:
            path = f"prefork/{os.getpid()}{more}"
            return _open(Address(AddressKind.ABSTRACT, path=path))
        except SystemRefusal as refusal:
            if not _is_taken(refusal):
                raise
            last = refusal
    raise last


def _open(address: Address) -> Listener:
    return open_listener(address, backlog=BACKLOG, socket_mode=0o600, tries=1)


def _is_taken(refusal: SystemRefusal) -> bool:
    cause = refusal.__cause__
    return isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE


def connect(where: str, *, timeout: float) -> socket.socket:
    """Connect to a path or @NAME; OSError."""
    connection = socket.socket(socket.AF_UNIX)
    # Not settimeout(), with which a full queue is an error at once.
    limit = _TIMEVAL.pack(int(timeout), int(timeout % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    try:
        connection.connect("\0" + where[1:] if where.startswith("@") else where)
    except BaseException:
        connection.close()
        raise
    connection.settimeout(timeout)
    return connection


def find_control_names() -> Iterator[str]:
    """The abstract names of masters, @prefork/812, in this network namespace."""
    # Not /proc/net, which a sandbox may hide (systemd.exec(5), ProcSubset=pid).
    with open("/proc/self/net/unix", errors="replace") as table:
        for line in table:
            # Num RefCount Protocol Flags Type St Inode Path
            columns = line.rstrip("\n").split(None, 7)
            is_listening = len(columns) == 8 and columns[3] == _LISTENING
            if is_listening and _OURS.fullmatch(columns[7]):
                yield columns[7]
