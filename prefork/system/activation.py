"""Activation: descriptors that systemd has opened, or kept, for us.

sd_listen_fds(3): they begin at 3, $LISTEN_FDS tells how many there are, and
$LISTEN_FDNAMES what each is called.  Some have listened all the time, as socket
units; others a master before us has left in the store (prefork/system/store.py).
"""

import os
from collections.abc import Mapping, MutableMapping, Sequence
from dataclasses import dataclass

from prefork.errors import ConfigError, SystemRefusal
from prefork.protocols.table import DEFAULT_PROTOCOL, PROTOCOLS

FIRST = 3  # SD_LISTEN_FDS_START
VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID")
UNNAMED = ("", "unknown")  # sd_listen_fds_with_names(3): what has no name


@dataclass(frozen=True, slots=True)
class Passed:
    """One descriptor, and its name: FileDescriptorName= of the socket unit."""

    name: str
    fd: int


def take_passed(environ: MutableMapping[str, str]) -> list[Passed]:
    """Read the variables, and remove them: the descriptors are not for children.

    Those that were meant for another process ($LISTEN_PID) are not ours: whoever
    started us has forked, and forgotten to remove them.  SystemRefusal: one of those
    that were promised is not there.
    """
    pid, count, names, _ = (environ.pop(name, "") for name in VARIABLES)
    if pid != str(os.getpid()) or not count.isdecimal():
        return []
    descriptors = range(FIRST, FIRST + int(count))
    for fd in descriptors:
        _keep_from_children(fd)
    called = [*names.split(":"), *[""] * len(descriptors)]
    return [Passed(name, fd) for name, fd in zip(called, descriptors, strict=False)]


def _keep_from_children(fd: int) -> None:
    try:
        os.set_inheritable(fd, False)
    except OSError:
        raise SystemRefusal(
            f"$LISTEN_FDS tells of descriptor {fd}, which is not open (whoever has "
            "set it did not pass the socket)"
        ) from None


def choose_protocol(
    name: str, given: Mapping[str, str], *, default: str = DEFAULT_PROTOCOL
) -> str:
    """What is to be spoken on a socket of this name; ConfigError if it is unclear.

    `given` says it for some names, of --socket-protocol.  A unit that names nothing
    gives its sockets its own name, prefork.socket.
    """
    protocol = given.get(name) or name
    if protocol in PROTOCOLS:
        return protocol
    if name in UNNAMED or name.endswith(".socket"):
        return default
    raise ConfigError(
        f"cannot tell the protocol of systemd's socket {name!r} (write "
        f"FileDescriptorName={default} in its unit, or --socket-protocol "
        f"{name}={default}; there is {', '.join(sorted(PROTOCOLS))})"
    )


def parse_protocols(pairs: Sequence[str]) -> dict[str, str]:
    """The protocol for each name, of NAME=PROTOCOL; raises ConfigError."""
    given = dict(pair.split("=", 1) for pair in pairs)
    for protocol in given.values():
        if protocol not in PROTOCOLS:
            known = ", ".join(sorted(PROTOCOLS))
            raise ConfigError(f"unknown protocol {protocol!r} (there is {known})")
    return given
