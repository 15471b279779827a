"""prefork.protocols.proxy: who the client is, before it says a word."""

import socket
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from prefork.errors import ProtocolError
from prefork.protocols.crc32c import crc32c
from prefork.protocols.fastcgi import Fastcgi
from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.http import Http
from prefork.protocols.proxy import Proxy
from prefork.protocols.proxy_header import LONGEST, LONGEST_LINE, SIGNATURE
from prefork.protocols.request import Conversation, Request
from prefork.protocols.terms import Terms

PEER = {"REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "4711"}
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
PROXY = Proxy(Http(Terms()), TrustedPeers(["127.0.0.1", "unix"]))


def feed(*pieces: bytes, remote: dict[str, str] = PEER) -> Request | None:
    """What follows the header, if it gets as far as that."""
    conversation: Conversation = PROXY.converse(remote)
    request = None
    for data in pieces:
        request = conversation.feed(data)
        if conversation.successor is not None:
            conversation, rest = conversation.successor
            request = conversation.feed(rest) if rest else None
    return request


def client_of(header: bytes) -> dict[str, str]:
    """What a header makes of the client."""
    request = feed(header + GET)
    assert request is not None
    names = ("REMOTE_ADDR", "REMOTE_PORT", "SERVER_ADDR", "SERVER_PORT", "HTTPS")
    variables = request.variables
    return {name: variables[name] for name in names if name in variables}


def binary(
    family: int = 0x11,
    block: bytes = b"",
    more: bytes = b"",
    *,
    command: int = 0x21,
    size: int | None = None,
) -> bytes:
    """A header of version 2."""
    size = len(block + more) if size is None else size
    return SIGNATURE + struct.pack("!BBH", command, family, size) + block + more


def item(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def pack4(client: str, server: str, *ports: int) -> bytes:
    addresses = socket.inet_aton(client) + socket.inet_aton(server)
    return addresses + struct.pack("!HH", *ports)


def pack6(client: str, server: str, *ports: int) -> bytes:
    addresses = (socket.inet_pton(socket.AF_INET6, each) for each in (client, server))
    return b"".join(addresses) + struct.pack("!HH", *ports)


def sealed(block: bytes, more: bytes = b"") -> bytes:
    """A header with its checksum."""
    blank = binary(0x11, block, item(3, bytes(4)) + more)
    at = len(SIGNATURE) + 4 + len(block) + 3
    return blank[:at] + struct.pack("!I", crc32c(blank)) + blank[at + 4 :]


BLOCK = pack4("192.0.2.7", "198.51.100.1", 56324, 443)
CLIENT = {
    "REMOTE_ADDR": "192.0.2.7",
    "REMOTE_PORT": "56324",
    "SERVER_ADDR": "198.51.100.1",
    "SERVER_PORT": "443",
}
CLIENT6 = {
    "REMOTE_ADDR": "2001:db8::7",
    "REMOTE_PORT": "1",
    "SERVER_ADDR": "::1",
    "SERVER_PORT": "65535",
}
BLOCK6 = pack6("2001:db8::7", "::1", 1, 65535)
LONGEST_LINE_THERE_IS = b"PROXY UNKNOWN" + 2 * (b" " + b":".join([b"ffff"] * 8))
LONGEST_LINE_THERE_IS += b" 65535 65535\r\n"

HEADERS = {
    "v1 IPv4": (b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n", CLIENT),
    "v1 IPv6": (b"PROXY TCP6 2001:DB8:0::7 ::1 1 65535\r\n", CLIENT6),
    "v1 IPv4 in IPv6": (
        b"PROXY TCP6 ::ffff:192.0.2.7 ::ffff:198.51.100.1 56324 443\r\n",
        CLIENT,
    ),
    "v1 unknown": (b"PROXY UNKNOWN\r\n", PEER),
    "v1 unknown, with more": (LONGEST_LINE_THERE_IS, PEER),
    "v2 IPv4": (binary(0x11, BLOCK), CLIENT),
    "v2 IPv6": (binary(0x21, BLOCK6), CLIENT6),
    "v2 IPv4 in IPv6": (
        binary(0x21, pack6("::ffff:192.0.2.7", "::ffff:198.51.100.1", 56324, 443)),
        CLIENT,
    ),
    "v2 unix": (binary(0x31, b"/run/a".ljust(216, b"\0")), {"REMOTE_ADDR": ""}),
    "v2 local": (binary(0x00, command=0x20), PEER),
    "v2 local, with a block to ignore": (binary(0x11, BLOCK, command=0x20), PEER),
    "v2 unspecified": (binary(0x00, b""), PEER),
    "v2 with more": (
        binary(0x11, BLOCK, item(1, b"h2") + item(4, bytes(9)) + item(0xEE, b"")),
        CLIENT,
    ),
    "v2 over TLS": (
        binary(0x11, BLOCK, item(0x20, b"\x01" + bytes(4) + item(0x21, b"TLSv1.3"))),
        {**CLIENT, "HTTPS": "on"},
    ),
    "v2 not over TLS": (binary(0x11, BLOCK, item(0x20, bytes(5))), CLIENT),
    "v2 with a checksum": (sealed(BLOCK, item(5, b"unique")), CLIENT),
    "v2 as long as may be": (
        binary(0x11, BLOCK, item(4, bytes(LONGEST - 16 - 12 - 3))),
        CLIENT,
    ),
}
every_header = pytest.mark.parametrize(
    ("header", "client"), HEADERS.values(), ids=HEADERS
)


@every_header
def test_the_header_says_who_the_client_is(
    header: bytes, client: dict[str, str]
) -> None:
    assert client_of(header) == client


@every_header
@pytest.mark.parametrize("size", [1, 2, 7])
def test_it_may_arrive_in_pieces(
    header: bytes, client: dict[str, str], size: int
) -> None:
    data = header + GET
    request = feed(*(data[at : at + size] for at in range(0, len(data), size)))
    assert request is not None
    assert request.variables == feed(data).variables  # type: ignore[union-attr]


@given(st.sampled_from([*HEADERS.values()]), st.data())
def test_it_may_be_cut_anywhere(
    case: tuple[bytes, dict[str, str]], data: st.DataObject
) -> None:
    whole = case[0] + GET
    cut = data.draw(st.integers(1, len(whole) - 1))
    request = feed(whole[:cut], whole[cut:])
    assert request is not None
    assert request.variables == feed(whole).variables  # type: ignore[union-attr]


MALFORMED = {
    "no header": (GET, "no PROXY header"),
    "nearly one": (b"PROXX TCP4", "no PROXY header"),
    "small letters": (b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "no PROXY header"),
    "nearly a signature": (SIGNATURE[:11] + b"!" + bytes(9), "no PROXY header"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01", "no PROXY header"),
    "another family": (b"PROXY TCP4 ::1 ::1 1 2\r\n", "another family"),
    "another family, reversed": (b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n", "another"),
    "no address": (b"PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n", "malformed address"),
    "leading zeros": (b"PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n", "malformed address"),
    "port beyond": (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n", "malformed port"),
    "port with a zero": (b"PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n", "malformed PROXY"),
    "no port": (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n", "malformed PROXY line"),
    "two spaces": (b"PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n", "malformed PROXY line"),
    "UDP": (b"PROXY UDP4 1.2.3.4 5.6.7.8 1 2\r\n", "malformed PROXY line"),
    "bare LF": (b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n" + GET, "malformed PROXY line"),
    "an unknown of more": (b"PROXY UNKNOWNS\r\n", "malformed PROXY line"),
    "too long": (b"PROXY UNKNOWN ".ljust(LONGEST_LINE, b"f"), "line too long"),
    "v2 version": (binary(command=0x31), "unknown version or command"),
    "v2 command": (binary(command=0x22), "unknown version or command"),
    "v2 datagrams": (binary(0x12, BLOCK), "unknown family or transport"),
    "v2 family": (binary(0x41, BLOCK), "unknown family or transport"),
    "v2 short": (binary(0x11, BLOCK[:-1]), "shorter than its addresses"),
    "v2 short item": (binary(0x11, BLOCK, item(1, b"h2")[:-1]), "what is in it"),
    "v2 half an item": (binary(0x11, BLOCK, b"\x01"), "what is in it"),
    "v2 long": (binary(0x11, b"", size=LONGEST - 15), "header too long"),
    "v2 longest": (binary(0x11, b"", size=65535), "header too long"),
    "v2 checksum": (binary(0x11, BLOCK, item(3, b"\1\2\3\4")), "wrong checksum"),
    "v2 half a checksum": (binary(0x11, BLOCK, item(3, b"\1\2")), "wrong checksum"),
}


@pytest.mark.parametrize(("data", "reason"), MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_what_is_no_header_is_refused_with_its_reason(
    data: bytes, reason: str, size: int
) -> None:
    with pytest.raises(ProtocolError, match=reason) as caught:
        feed(*(data[at : at + size] for at in range(0, len(data), size)))
    assert caught.value.status == 400


def test_a_refusal_is_worded_in_the_protocol_that_was_to_follow() -> None:
    conversation = PROXY.converse(PEER)
    with pytest.raises(ProtocolError) as caught:
        conversation.feed(GET)
    answer = conversation.refuse(caught.value, date="")
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")


@pytest.mark.parametrize("data", [GET, b"PROXY TCP4 192.0.2.9 192.0.2.1 1 2\r\n"])
def test_there_may_be_nobody_in_that_protocol_to_refuse(data: bytes) -> None:
    """FastCGI hears named web servers alone, and the proxy is none of them."""
    fastcgi = Fastcgi(Terms(web_servers="192.0.2.7"))
    conversation = Proxy(fastcgi, TrustedPeers(["127.0.0.1"])).converse(PEER)
    with pytest.raises(ProtocolError) as caught:
        conversation.feed(data)
    assert conversation.refuse(caught.value, date="") == b""


@pytest.mark.parametrize(("peer", "named"), [("192.0.2.1", "192.0.2.1"), ("", "unix")])
def test_a_stranger_is_refused_without_a_word(peer: str, named: str) -> None:
    proxy = Proxy(Http(Terms()), TrustedPeers(["127.0.0.1"]))
    with pytest.raises(ProtocolError, match=f"no proxy to be trusted: {named}$"):
        proxy.converse({"REMOTE_ADDR": peer})


def test_a_connection_is_idle_until_its_header_begins() -> None:
    conversation = PROXY.converse(PEER)
    assert conversation.is_idle
    conversation.feed(b"P")
    assert not conversation.is_idle


@given(st.binary())
@example(SIGNATURE)
@example(b"PROXY ")
@example(b"PROXY \xff\r\n")
def test_whatever_comes_is_a_header_or_an_error(data: bytes) -> None:
    for start in (b"", b"PROXY TCP4 ", SIGNATURE + b"\x21", binary(0x11, BLOCK)[:-12]):
        if start + data:
            try:
                feed(start + data)
            except ProtocolError:
                pass
