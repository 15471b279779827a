"""The header of the PROXY protocol, of both versions: bytes to variables."""

import re
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import unpack

from prefork.errors import ProtocolError
from prefork.protocols.crc32c import crc32c

Variables = dict[str, str]

# 2.1: "a 108-byte buffer is always enough to store all the line and a trailing zero
# for string processing."
LONGEST_LINE = 107
WORD = b"PROXY "
LINE = re.compile(
    r"PROXY (?:UNKNOWN(?: [^\r\n]*)?|TCP(?P<version>[46])"
    r" (?P<client>[0-9A-Fa-f.:]+) (?P<server>[0-9A-Fa-f.:]+)"
    r" (?P<client_port>0|[1-9][0-9]{0,4}) (?P<server_port>0|[1-9][0-9]{0,4}))\r\n"
)

# 2.2: "the protocol header block"
SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
SHORTEST = 16  # bytes: signature, version and command, family, length
LONGEST = 4096  # bytes, where HAProxy sends some hundred
VERSION = 2
LOCAL, PROXIED = 0, 1  # commands
UNSPECIFIED = 0x00  # family and transport
IPV4, IPV6, UNIX = 0x11, 0x21, 0x31  # a family each, and a stream
SIZES = {IPV4: 12, IPV6: 36, UNIX: 216}  # bytes of the addresses

TYPE_CRC32C = 0x03
TYPE_SSL = 0x20
CLIENT_SSL = 0x01  # in the first byte of that: the client connected over SSL/TLS


def read_line(header: bytes) -> Variables | None:
    """Version 1, one line of text; None if it tells nothing.  ProtocolError."""
    line = LINE.fullmatch(header.decode("latin-1"))
    if not line:
        raise ProtocolError("malformed PROXY line")
    if not line["version"]:
        return None
    client, server = (
        _read_address(line[name], line["version"]) for name in ("client", "server")
    )
    ports = int(line["client_port"]), int(line["server_port"])
    if max(ports) > 65535:
        raise ProtocolError("malformed port in the PROXY line")
    return _name((client, ports[0]), (server, ports[1]))


def _read_address(text: str, version: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        raise ProtocolError("malformed address in the PROXY line") from None
    if str(address.version) != version:
        raise ProtocolError("address of another family in the PROXY line")
    return _format(address)


def measure(header: bytes) -> int:
    """Bytes of a whole binary header, of which SHORTEST are here; ProtocolError."""
    size = SHORTEST + int.from_bytes(header[14:16], "big")
    if size > LONGEST:
        raise ProtocolError("PROXY header too long")
    return size


def read_binary(header: bytes) -> Variables | None:
    """Version 2, whole; None if it tells nothing.  Raises ProtocolError."""
    version, command = header[12] >> 4, header[12] & 15
    if version != VERSION or command not in (LOCAL, PROXIED):
        raise ProtocolError("unknown version or command in the PROXY header")
    # "The receiver must accept this connection as valid and must use the real
    # connection endpoints and discard the protocol block including the family
    # which is ignored."
    if command == LOCAL:
        return None
    family = header[13]
    if family != UNSPECIFIED and family not in SIZES:
        raise ProtocolError("unknown family or transport in the PROXY header")
    end = SHORTEST + SIZES.get(family, 0)
    if end > len(header):
        raise ProtocolError("PROXY header shorter than its addresses")
    is_https = _read_more(header, end)
    if family == UNSPECIFIED:
        return None
    variables = _read_addresses(family, header[SHORTEST:end])
    return {**variables, "HTTPS": "on"} if is_https else variables


def _read_addresses(family: int, block: bytes) -> Variables:
    if family == UNIX:
        return {"REMOTE_ADDR": ""}  # as of anybody on a unix socket
    if family == IPV6:
        source, target, *ports = unpack("!16s16sHH", block)
        client, server = _format(IPv6Address(source)), _format(IPv6Address(target))
    else:
        source, target, *ports = unpack("!4s4sHH", block)
        client, server = _format(IPv4Address(source)), _format(IPv4Address(target))
    return _name((client, ports[0]), (server, ports[1]))


def _read_more(header: bytes, start: int) -> bool:
    """Go through what follows the addresses: did the client come over TLS?"""
    is_https = False
    for kind, at, value in _split_more(header, start):
        if kind == TYPE_SSL and value and value[0] & CLIENT_SSL:
            is_https = True
        elif kind == TYPE_CRC32C:
            _check_sum(header, at, value)
    return is_https


def _split_more(header: bytes, at: int) -> Iterator[tuple[int, int, bytes]]:
    """Each type, length and value: the type, where the value is, and the value."""
    while at < len(header):
        kind, size = header[at], int.from_bytes(header[at + 1 : at + 3], "big")
        at += 3
        if at + size > len(header):
            raise ProtocolError("PROXY header shorter than what is in it")
        yield kind, at, header[at : at + size]
        at += size


def _check_sum(header: bytes, at: int, value: bytes) -> None:
    # "replace the 32 bits of the checksum field in the received PROXY header with
    # all '0's.  calculate a CRC32c checksum value of the whole PROXY header."
    blank = header[:at] + bytes(4) + header[at + 4 :]
    if len(value) != 4 or crc32c(blank) != int.from_bytes(value, "big"):
        raise ProtocolError("wrong checksum of the PROXY header")


def _format(address: IPv4Address | IPv6Address) -> str:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(address)


def _name(client: tuple[str, int], server: tuple[str, int]) -> Variables:
    return {
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "SERVER_ADDR": server[0],
        "SERVER_PORT": str(server[1]),
    }
