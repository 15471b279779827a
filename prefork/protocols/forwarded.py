"""What a front end says of the client: X-Forwarded-* and RFC 7239."""

from collections.abc import Callable, Container, Iterator, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from prefork.errors import ProtocolError
from prefork.protocols.grammar import (
    FORWARDED_PAIR,
    HOST,
    IPV4,
    NODE,
    QUOTED_PAIR,
)
from prefork.protocols.memo import Memo
from prefork.protocols.variables import DEFAULT_PORTS

# What applications and their middleware believe; nobody but a front end that is
# trusted may set one.
FORWARDED = {
    "HTTP_FORWARDED",
    "HTTP_X_FORWARDED_FOR",
    "HTTP_X_FORWARDED_HOST",
    "HTTP_X_FORWARDED_PORT",
    "HTTP_X_FORWARDED_PREFIX",
    "HTTP_X_FORWARDED_PROTO",
    "HTTP_X_FORWARDED_SSL",
}


def is_forwarded(variables: dict[str, str]) -> bool:
    """Whether there is anything to apply: asked of each request, 0.2 µs."""
    return not variables.keys().isdisjoint(FORWARDED)


def apply_forwarded(
    variables: dict[str, str], *, trusted: bool, is_trusted: Callable[[str], bool]
) -> None:
    """Let a trusted peer say who the client is, and what it asked for.

    Sets REMOTE_ADDR, REQUEST_SCHEME, HTTPS, HTTP_HOST, SERVER_NAME and
    SERVER_PORT; removes the fields if the peer is not `trusted`.  `is_trusted`
    is asked of each address in a chain.  Raises ProtocolError for contradictions
    and for what cannot be read.
    """
    if not is_forwarded(variables):
        return
    if not trusted:
        for name in FORWARDED:
            variables.pop(name, None)
        return
    x_scheme = read_x_scheme(variables)
    if "HTTP_FORWARDED" in variables:
        element = choose_element(variables["HTTP_FORWARDED"], is_trusted)
        client = find_node(element.get("for", ""))
        scheme = check_scheme(element.get("proto", ""))
        host = element.get("host", "")
        if scheme and x_scheme and scheme != x_scheme:
            raise ProtocolError("Forwarded contradicts X-Forwarded-Proto")
    else:
        chain = split_list(variables.get("HTTP_X_FORWARDED_FOR", ""))
        client = choose_client(chain, is_trusted)
        # A proxy that does not replace the field adds to its end: the last host
        # is the one that our peer has seen, the others are hearsay.
        host = ["", *split_list(variables.get("HTTP_X_FORWARDED_HOST", ""))][-1]
        scheme = ""
    set_client(variables, client)
    set_scheme(variables, scheme or x_scheme)
    set_host(variables, host)


def set_client(variables: dict[str, str], address: str) -> None:
    if address:
        variables["REMOTE_ADDR"] = address
        variables.pop("REMOTE_PORT", None)  # that is the front end's


def set_scheme(variables: dict[str, str], scheme: str) -> None:
    if scheme:
        variables["REQUEST_SCHEME"] = scheme
        variables.pop("HTTPS", None)
    if scheme == "https":
        variables["HTTPS"] = "on"


def set_host(variables: dict[str, str], host: str) -> None:
    """Say for which host it was, with the port of the scheme if it names none."""
    if not host:
        return
    match = HOST.fullmatch(host)
    if not match:
        raise ProtocolError("malformed forwarded host")
    scheme = variables.get("REQUEST_SCHEME", "")
    port = match["port"] or DEFAULT_PORTS.get(scheme, "80")
    variables["HTTP_HOST"] = host
    variables["SERVER_NAME"] = match["name"]
    variables["SERVER_PORT"] = port


# X-Forwarded-*


def split_list(value: str) -> list[str]:
    return [item.strip(" \t") for item in value.split(",") if item.strip(" \t")]


def read_x_scheme(variables: dict[str, str]) -> str:
    """The scheme of X-Forwarded-Proto; "" if there is none that we know."""
    value = variables.get("HTTP_X_FORWARDED_PROTO", "")
    schemes = {check_scheme(scheme) for scheme in split_list(value)}
    if len(schemes) > 1:
        raise ProtocolError("X-Forwarded-Proto contradicts itself")
    return schemes.pop() if schemes else ""


def check_scheme(scheme: str) -> str:
    scheme = scheme.lower()
    return scheme if scheme in DEFAULT_PORTS else ""


def choose_client(chain: list[str], is_trusted: Callable[[str], bool]) -> str:
    """The address as far back as the chain can be believed; "" if nowhere.

    Each proxy adds the address that it was connected from, so that the chain is
    walked from its end, for as long as the one that added an item is trusted.
    """
    client = ""
    for node in reversed(chain):
        address = find_node(node)
        if not address:
            break
        client = address
        if not is_trusted(address):
            break
    return client


@lru_cache(maxsize=1024)
def find_node(node: str) -> str:
    """The IP address in a node (RFC 7239 6); "" if it is hidden, or is none."""
    match = NODE.fullmatch(node)
    if not match:
        return ""
    try:
        address = ip_address(match["v4"] or match["v6"] or match["bare_v6"])
    except ValueError:
        return ""
    return str((address.version == 6 and address.ipv4_mapped) or address)


# Forwarded


def choose_element(value: str, is_trusted: Callable[[str], bool]) -> dict[str, str]:
    """The element that tells of the client, as choose_client would.

    It is one element, not the best of each: what the same proxy has seen.
    """
    chosen: dict[str, str] = {}
    for element in reversed(list(parse_forwarded(value))):
        chosen = element
        address = find_node(element.get("for", ""))
        if not address or not is_trusted(address):
            break
    return chosen


def parse_forwarded(value: str) -> Iterator[dict[str, str]]:
    """The elements of a Forwarded field: parameters by lower-case name."""
    element: dict[str, str] = {}
    at = 0
    while pair := FORWARDED_PAIR.match(value, at):
        at = pair.end()
        if pair["name"]:
            name = pair["name"].lower()
            # RFC 7239 4: "Each parameter MUST NOT occur more than once per
            # field-value."
            if name in element:
                raise ProtocolError("parameter of Forwarded repeated")
            element[name] = unquote(pair["value"])
        if pair["end"] != ";" and element:
            yield element
            element = {}
        if not pair["end"]:
            return
    raise ProtocolError("malformed Forwarded")


def unquote(value: str) -> str:
    return QUOTED_PAIR.sub(r"\1", value[1:-1]) if value[0] == '"' else value


# Who is trusted


class TrustedPeers(Container[str]):
    """The front ends that are believed: addresses, networks, `unix` and `*`.

    Raises ValueError for an entry that is none of these.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        self._entries = {entry for entry in entries if IPV4.fullmatch(entry)}
        self._entries |= {"unix"} & {*entries}
        self._everyone = "*" in entries
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(entry)
            for entry in entries
            if entry not in self._entries and entry != "*"
        ]
        self._known = Memo(self._search)

    def __contains__(self, address: object) -> bool:
        """Whether an address is trusted; "" is that of a peer on a Unix socket."""
        if self._everyone:
            return True
        return isinstance(address, str) and self._known[address or "unix"] != ""

    def _search(self, address: str) -> str:
        """The address, if it is trusted; or ""."""
        # An IPv6 listener sees its IPv4 peers under this prefix.
        address = address.removeprefix("::ffff:")
        if address in self._entries:
            return address
        if not self._networks or not find_node(address):
            return ""
        ip = ip_address(find_node(address))
        return address if any(ip in network for network in self._networks) else ""
