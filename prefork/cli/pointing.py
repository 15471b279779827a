"""What `prefork request` is pointed at: somebody to ask, and a path there.

http://HOST[:PORT][/PATH]      PROTOCOL://HOST:PORT[/PATH]     HOST:PORT[/PATH]
[PROTOCOL+]unix:SOCKET PATH    cgi:PROGRAM [PATH]
"""

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path

from prefork.protocols.asking.table import WORDINGS
from prefork.protocols.table import DEFAULT_PROTOCOL
from prefork.system.address import EVERY_INTERFACE, Address, AddressKind, parse_address

LOOPBACK = "127.0.0.1"
CGI = "cgi"  # a program, and no connection
PROTOCOLS = (*WORDINGS, CGI)
USUAL_PORTS = {"http": 80, "ajp": 8009}
_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9-]*)(?:://|\+(?=unix:))")
_PORT = re.compile(r"(?:\A|:)[0-9]+\Z")
_ODD = re.compile(r"[^!-~]")  # what a request line cannot carry as it is


@dataclass(frozen=True, slots=True)
class Place:
    """Somebody to ask."""

    protocol: str
    address: Address | None  # None: a program of CGI
    program: Path = Path()

    @property
    def text(self) -> str:
        return self.address.text if self.address else f"cgi:{self.program}"

    @property
    def host(self) -> str:
        """What Host: says: the address, or localhost if that is no HTTP server's."""
        address = self.address
        if address is None or self.protocol != "http":
            return "localhost"
        if address.kind is not AddressKind.TCP:
            return "localhost"
        return address.place.removesuffix(f":{USUAL_PORTS['http']}")


def parse_place(text: str, protocol: str | None) -> tuple[Place, str]:
    """The place, and the target if `text` has one; ValueError.

    `protocol` is for a text that names none.
    """
    named, rest = _split_protocol(text)
    if named and protocol and named != protocol:
        raise ValueError(f"it is both {named} and {protocol}")
    protocol = named or protocol or DEFAULT_PROTOCOL
    if protocol == "https":
        raise ValueError("https is not spoken here; curl speaks it")
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"unknown protocol {protocol!r} (there is {', '.join(PROTOCOLS)})"
        )
    if protocol == CGI:
        return Place(CGI, None, Path(rest).absolute()), ""
    target = ""
    if not rest.startswith("unix:"):
        rest, slash, path = rest.partition("/")
        rest, target = _add_port(rest, protocol), slash + path
    separator = "+" if rest.startswith("unix:") else "://"
    address = parse_address(f"{protocol}{separator}{rest}", protocols=WORDINGS.keys())
    if address.host == EVERY_INTERFACE:
        address = replace(address, host=LOOPBACK)
    return Place(protocol, address), target


def parse_end(text: str) -> tuple[str, Address]:
    """The protocol that is named, or "", and the address; ValueError."""
    protocol, place = _split_protocol(text)
    try:
        return protocol, parse_address(place, protocols={DEFAULT_PROTOCOL})
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def _split_protocol(text: str) -> tuple[str, str]:
    if text.startswith("cgi:"):
        return CGI, text.removeprefix("cgi:")
    if found := _PROTOCOL.match(text):
        return found[1].lower(), text[found.end() :]
    return "", text


def _add_port(place: str, protocol: str) -> str:
    if not place or _PORT.search(place) or protocol not in USUAL_PORTS:
        return place
    return f"{place}:{USUAL_PORTS[protocol]}"


def parse_target(text: str) -> str:
    """Path and query as a request line carries them, in ASCII; ValueError."""
    if not text.startswith("/") and text != "*":
        raise ValueError(f"{text!r} does not begin with a slash")
    raw = os.fsencode(text).decode("latin-1")
    return _ODD.sub(lambda found: f"%{ord(found[0]):02X}", raw)
