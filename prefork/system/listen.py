"""Listeners: sockets that are opened, and closed.

    open_listener ─► accept … ─► close_door ─► accept the rest ─► close

What one listens on is an Address (prefork.system.address); for close_door() see
prefork.system.closing.
"""

import errno
import os
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from prefork.errors import SystemRefusal
from prefork.system import stdin
from prefork.system.address import Address, AddressKind, parse_bind
from prefork.system.queue import read_queue
from prefork.system.socketfile import (
    FileIdentity,
    bind_file,
    identify,
    is_still,
    remove,
)

Owner = tuple[int, int]  # user and group; -1 leaves one as it is
# What bind() takes: a tuple of internet numbers, or the name of a unix socket.
Target = tuple[object, ...] | str

ADVICE = {
    (AddressKind.TCP, errno.EACCES): "run as root, or use socket activation",
    (AddressKind.UNIX, errno.EACCES): "make its directory writable for this user",
    (AddressKind.UNIX, errno.EPERM): "only root gives a socket to another owner",
    (AddressKind.UNIX, errno.ENOENT): "make its directory first",
    (AddressKind.TCP, errno.EADDRNOTAVAIL): (
        "no interface of this machine has this address"
    ),
    (AddressKind.TCP, errno.EADDRINUSE): "another server listens there",
    (AddressKind.UNIX, errno.EADDRINUSE): "another server listens there",
    (AddressKind.ABSTRACT, errno.EADDRINUSE): "another server listens there",
}


class Listener:
    """A listening socket: non-blocking, closed by exec, ours or inherited.

    Inherited means passed to us by number (fd://N): somebody else listens on it
    too, or will, so it is neither listen()ed nor closed to newcomers nor unlinked.
    """

    __slots__ = ("address", "identity", "is_inherited", "socket")

    def __init__(
        self,
        address: Address,
        sock: socket.socket,
        *,
        is_inherited: bool = False,
        identity: FileIdentity | None = None,
    ) -> None:
        self.address = address
        self.socket = sock
        self.is_inherited = is_inherited
        self.identity = identity  # of the socket file that we made; None: none

    @property
    def name(self) -> str:
        """Where it really listens: port 0 has become a number."""
        actual = self.socket.getsockname()
        match self.socket.family:
            case socket.AF_INET:
                return f"{actual[0]}:{actual[1]}"
            case socket.AF_INET6:
                return f"[{actual[0]}]:{actual[1]}"
            case socket.AF_UNIX if isinstance(actual, bytes):
                return "unix:@" + os.fsdecode(actual[1:])
            case socket.AF_UNIX:
                return f"unix:{actual}"
            case _:
                return self.address.place

    @property
    def url(self) -> str:
        """The same for a client, protocol first: http://127.0.0.1:8000."""
        return self.address.located(self.name)

    @property
    def door(self) -> str:
        """What it is called between processes: see door_name()."""
        return door_name(self.address.protocol, self.socket)

    @property
    def outlives_us(self) -> bool:
        """Does whoever has passed it keep it open?  Not so what came as stdin."""
        return self.is_inherited and self.address.number != stdin.STDIN

    def speaking(self, protocol: str) -> "Listener":
        """The same socket, for another protocol: whoever accepts picks it."""
        return Listener(
            replace(self.address, protocol=protocol),
            self.socket,
            is_inherited=self.is_inherited,
            identity=self.identity,
        )

    def __repr__(self) -> str:
        return f"<Listener {self.address.text}>"

    def state(self) -> dict[str, Any]:
        """For another program that gets the descriptor; restore() reads it."""
        return {
            "fd": self.socket.fileno(),
            "address": self.address.text,
            "is_inherited": self.is_inherited,
            "identity": self.identity,
        }

    @classmethod
    def restore(cls, state: dict[str, Any]) -> "Listener":
        device, inode = state["identity"] or (0, 0)
        return cls(
            parse_bind(state["address"]),
            socket.socket(fileno=state["fd"]),
            is_inherited=state["is_inherited"],
            identity=(device, inode) if state["identity"] else None,
        )


def door_name(protocol: str, listener: socket.socket) -> str:
    """The same in all processes that have this listener, and speak this there."""
    return f"{protocol} {listener.getsockname()!r}"


def open_listener(
    address: Address,
    *,
    backlog: int = 2048,
    socket_mode: int = 0o660,
    socket_owner: Owner | None = None,
    tries: int = 5,
    pause: float = 0.5,
    sleep: Callable[[float], None] = time.sleep,
) -> Listener:
    """Listen on `address`, or raise SystemRefusal.

    While the address is in use, try again after `pause` seconds, `tries` times in
    all: a server that is being restarted may not have left yet.
    """
    if address.kind is AddressKind.FD:
        return _adopt(address)
    for left in reversed(range(tries)):
        try:
            return _open(address, backlog, socket_mode, socket_owner)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or not left:
                raise _refusal(address, error) from error
        sleep(pause)
    raise AssertionError("the last try returns or raises")


def recover(address: Address, left: list[socket.socket]) -> Listener | None:
    """One of the sockets that a crashed server of ours has left, with its queue.

    It is taken from `left`.  The file of a unix socket has to be there still; nobody
    else can have bound it, as long as that socket listens.
    """
    if address.kind is AddressKind.FD:
        return None
    family, target = _resolve(address)
    for sock in left:
        if sock.family != family or _name(sock) != target:
            continue
        identity = identify(address.path) if address.kind is AddressKind.UNIX else None
        if address.kind is AddressKind.UNIX and identity is None:
            continue
        left.remove(sock)
        sock.setblocking(False)
        return Listener(address, sock, identity=identity)
    return None


def _name(sock: socket.socket) -> Target:
    """Where it listens, in the form that bind() takes."""
    name: Target | bytes = sock.getsockname()
    return os.fsdecode(name) if isinstance(name, bytes) else name


def _open(address: Address, backlog: int, mode: int, owner: Owner | None) -> Listener:
    family, target = _resolve(address)
    listener = Listener(address, socket.socket(family, socket.SOCK_STREAM))
    try:
        listener.socket.setblocking(False)
        if address.kind is AddressKind.TCP:
            _bind_tcp(listener.socket, target)
        elif address.kind is AddressKind.ABSTRACT:
            listener.socket.bind(target)
        else:
            listener.identity = bind_file(listener.socket, address.path, mode=mode)
            if owner is not None:
                os.chown(address.path, *owner, follow_symlinks=False)
        listener.socket.listen(backlog)
    except BaseException:
        close(listener)
        raise
    return listener


def adjust(listener: Listener, backlog: int, mode: int, owner: Owner | None) -> None:
    """Change what one that is open was opened with; raises OSError.

    To listen() again moves nothing but the limit of the queue.
    """
    if listener.is_inherited:
        return
    listener.socket.listen(backlog)
    if is_still(listener.address.path, listener.identity):
        os.chown(listener.address.path, *(owner or (os.geteuid(), os.getegid())))
        os.chmod(listener.address.path, mode)


def _resolve(address: Address) -> tuple[socket.AddressFamily, Target]:
    if address.kind is AddressKind.UNIX:
        return socket.AF_UNIX, address.path
    if address.kind is AddressKind.ABSTRACT:
        return socket.AF_UNIX, f"\0{address.path}"
    flags = socket.AI_PASSIVE | (socket.AI_NUMERICHOST if address.meaning else 0)
    try:
        found = socket.getaddrinfo(
            address.meaning or address.host,
            address.port,
            type=socket.SOCK_STREAM,
            flags=flags,
        )
    except (socket.gaierror, UnicodeError) as error:
        why = address.meaning or getattr(error, "strerror", "") or str(error)
        reason = f"cannot resolve {address.host}: {why}"
        raise SystemRefusal(f"{reason} (use an address of this machine)") from error
    family, _, _, _, target = found[0]
    return family, target


def _bind_tcp(sock: socket.socket, target: Target) -> None:
    # Connections of a former server, in TIME_WAIT, must not be in our way.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if sock.family == socket.AF_INET6:
        # [::]:80 and 0.0.0.0:80 are two binds, whatever the sysctl says.
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    _send_at_once(sock)
    sock.bind(target)


def _send_at_once(sock: socket.socket) -> None:
    # Linux hands the option on to accepted sockets: a system call less for each.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _refusal(address: Address, error: OSError) -> SystemRefusal:
    reason = (error.strerror or str(error)).lower()
    advice = ADVICE.get((address.kind, error.errno or 0))
    told = f" ({advice})" if advice else ""
    return SystemRefusal(f"cannot bind {address.place}: {reason}{told}")


def _adopt(address: Address) -> Listener:
    """Take over a socket that whoever started us has opened."""
    try:
        sock = socket.socket(fileno=address.number)
    except OSError as error:
        raise _unfit(address, (error.strerror or str(error)).lower()) from error
    if sock.type != socket.SOCK_STREAM:
        reason = "not a stream socket"
    elif not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        reason = "nobody has called listen() on it"
    else:
        if address.number == stdin.STDIN:
            sock.detach()
            sock = socket.socket(fileno=stdin.move())
        sock.setblocking(False)
        sock.set_inheritable(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6):
            _send_at_once(sock)
        return Listener(address, sock, is_inherited=True)
    sock.detach()  # not ours to close
    raise _unfit(address, reason)


def _unfit(address: Address, reason: str) -> SystemRefusal:
    advice = "pass an open, listening stream socket by this number"
    return SystemRefusal(f"cannot listen on {address.place}: {reason} ({advice})")


def close(listener: Listener) -> None:
    """Close it, and remove its file if that still is ours.

    A child that shares the socket must not: it closes `listener.socket`.
    """
    if not listener.is_inherited:
        remove(listener.address.path, listener.identity)
    listener.socket.close()


def queue_depth(listener: Listener) -> int | None:
    """How many connections wait to be accepted; None where nobody tells."""
    return read_queue(listener.socket)
