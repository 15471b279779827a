"""What one --bind means: its forms, and the one text it is known by.

[PROTOCOL://]HOST:PORT  [PROTOCOL://][V6]:PORT  [PROTOCOL://]PORT
[PROTOCOL+]unix:PATH    [PROTOCOL+]unix:@NAME   [PROTOCOL+]fd://NUMBER
"""

import os
import re
import socket
from collections.abc import Set
from dataclasses import dataclass, field
from enum import Enum

from prefork.errors import ConfigError
from prefork.protocols.table import DEFAULT_PROTOCOL, PROTOCOLS
from prefork.system.exposure import GUESSING, REFUSAL, is_loopback

EVERY_INTERFACE = "0.0.0.0"
LONGEST_PATH = 107  # bytes: unix(7), sun_path holds 108 and one of them is a NUL
LONGEST_LABEL, LONGEST_NAME = 63, 253  # bytes: RFC 1035, section 2.3.4
LONGEST_NUMBER = 7  # digits: proc(5), nr_open is 1048576 unless root has raised it

# "unix" and "fd" look like protocols here; parse_bind asks for those two first.
_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:://|\+(?=unix:|fd:))")
_HOST_PORT = re.compile(r"(?:(\[[^]]*\]|[^:\[\]]*):)?([^:\[\]]*)")
_HOST_NAME = re.compile(r"[A-Za-z0-9_.-]+")


class AddressKind(Enum):
    """What the system calls the place."""

    TCP = "tcp"
    UNIX = "unix"
    ABSTRACT = "abstract"
    FD = "fd"


@dataclass(frozen=True, slots=True)
class Address:
    """A place to listen, and the protocol to speak there."""

    kind: AddressKind
    protocol: str = DEFAULT_PROTOCOL
    host: str = ""  # TCP: a name or a literal, without brackets
    port: int = 0  # TCP: 0 lets the kernel choose
    path: str = ""  # UNIX: the file; ABSTRACT: the name, without its "@"
    number: int = -1  # FD
    # TCP: what the name was found to mean, or why it means nothing (system/names.py);
    # "": nobody has asked.  The address is the same whatever it means today.
    meaning: str = field(default="", compare=False)

    @property
    def place(self) -> str:
        """Where, whatever is spoken there."""
        match self.kind:
            case AddressKind.TCP:
                host = f"[{self.host}]" if ":" in self.host else self.host
                return f"{host}:{self.port}"
            case AddressKind.UNIX:
                return f"unix:{self.path}"
            case AddressKind.ABSTRACT:
                return f"unix:@{self.path}"
            case AddressKind.FD:
                return f"fd://{self.number}"

    @property
    def text(self) -> str:
        """The canonical form: `parse_bind(address.text)` gives the address back."""
        if self.protocol == DEFAULT_PROTOCOL:
            return self.place
        return self.located(self.place)

    def located(self, place: str) -> str:
        """`place` with the protocol in front, as a client would write it."""
        separator = "+" if place.startswith(("unix:", "fd:")) else "://"
        return f"{self.protocol}{separator}{place}"


def with_protocol(text: str, protocol: str) -> str:
    """An address that names no protocol, with this one; else as it is."""
    is_place = text.startswith(("unix:", "fd:"))
    if not is_place and _PROTOCOL.match(text):
        return text
    return f"{protocol}{'+' if is_place else '://'}{text}"


def same(old: Address, new: Address) -> bool:
    """May the listener of `old` serve `new`?  Whoever accepts picks the protocol."""
    return old.place == new.place


def parse_bind(text: str, *, protocols: Set[str] = PROTOCOLS.keys()) -> Address:
    """The address to listen on; ConfigError says what is wrong with `text`."""
    try:
        address = parse_address(text, protocols=protocols)
        if address.kind is AddressKind.TCP and address.protocol == GUESSING:
            _check_loopback(address.host)
        return address
    except ValueError as error:
        raise ConfigError(f"cannot bind {text!r}: {error}") from None


def _check_loopback(host: str) -> None:
    if not is_loopback(host):
        raise ValueError(REFUSAL)


def parse_address(text: str, *, protocols: Set[str]) -> Address:
    """The address that `text` means; ValueError says what is wrong with it."""
    protocol, place = _split_protocol(text)
    if protocol not in protocols:
        raise ValueError(
            f"unknown protocol {protocol!r}{_nearest(protocol, protocols)}"
        )
    if "\0" in place:
        raise ValueError("it contains a NUL")
    if place.startswith("unix:"):
        return _parse_unix(protocol, place.removeprefix("unix:"))
    if place.startswith("fd:"):
        return _parse_fd(protocol, place.removeprefix("fd://"))
    return _parse_tcp(protocol, place)


def _split_protocol(text: str) -> tuple[str, str]:
    if text.startswith(("unix:", "fd:")):
        return DEFAULT_PROTOCOL, text
    if found := _PROTOCOL.match(text):
        return found[1].lower(), text[found.end() :]
    return DEFAULT_PROTOCOL, text


def _parse_unix(protocol: str, path: str) -> Address:
    path = path.removeprefix("//")  # unix:///run/app.sock is unix:/run/app.sock
    kind = AddressKind.ABSTRACT if path.startswith("@") else AddressKind.UNIX
    path = path.removeprefix("@") if kind is AddressKind.ABSTRACT else path
    if not path:
        raise ValueError("the path is missing (write unix:/run/app.sock)")
    if len(os.fsencode(path)) > LONGEST_PATH:
        raise ValueError(f"the path is longer than {LONGEST_PATH} bytes")
    return Address(kind, protocol, path=path)


def _parse_fd(protocol: str, number: str) -> Address:
    if not (number.isascii() and number.isdigit()):
        raise ValueError("not a file descriptor (write fd://3)")
    if len(number) > LONGEST_NUMBER:
        raise ValueError(f"{number} is beyond all file descriptors")
    return Address(AddressKind.FD, protocol, number=int(number))


def _parse_tcp(protocol: str, place: str) -> Address:
    found = _HOST_PORT.fullmatch(place)
    if not found:
        raise ValueError("write HOST:PORT, an IPv6 address in brackets: [::1]:8000")
    host, port = found.groups()
    if not port and host is None:
        raise ValueError("it is empty (write HOST:PORT, unix:PATH or fd://NUMBER)")
    if not (port.isascii() and port.isdigit()):
        raise ValueError(f"{port!r} is not a port (write HOST:PORT)")
    if len(port) > 5 or int(port) > 65535:
        raise ValueError(f"port {port} is beyond 65535")
    return Address(AddressKind.TCP, protocol, host=_parse_host(host), port=int(port))


def _parse_host(host: str | None) -> str:
    if not host:
        return EVERY_INTERFACE
    if host.startswith("["):
        return _parse_v6(host[1:-1])
    if not _HOST_NAME.fullmatch(host):
        raise ValueError(f"{host!r} is not a host name")
    # The dot at its end, of a name that is whole, ends no label.
    labels = host.removesuffix(".").split(".")
    if not all(labels):
        raise ValueError(f"{host!r} is not a host name: nothing between two dots")
    if max(map(len, labels)) > LONGEST_LABEL or len(host) > LONGEST_NAME:
        raise ValueError(f"{host!r} is too long for a host name")
    return host.lower()


def _parse_v6(host: str) -> str:
    literal, percent, zone = host.partition("%")  # RFC 4007, section 11
    try:
        packed = socket.inet_pton(socket.AF_INET6, literal)
    except OSError:
        raise ValueError(f"{literal!r} is not an IPv6 address") from None
    return socket.inet_ntop(socket.AF_INET6, packed) + percent + zone


def _nearest(protocol: str, protocols: Set[str]) -> str:
    # Imported here: difflib is only wanted by someone who is about to fail.
    from difflib import get_close_matches

    near = get_close_matches(protocol, protocols, n=1)
    if near:
        return f" (did you mean {near[0]!r}?)"
    return f" (there is {', '.join(sorted(protocols))})"
