"""What stands in a packet of AJP13, read from its beginning to its end."""

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as wire
from prefork.protocols.watching.events import Asked


class Payload:
    """One packet; ProtocolError where it is shorter than it says."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._text = data.decode("latin-1")
        self._at = 0

    def byte(self) -> int:
        """A number of one byte."""
        return self.raw(1)[0]

    def number(self) -> int:
        """A number of two bytes."""
        high, low = self.raw(2)
        return high << 8 | low

    def raw(self, count: int) -> bytes:
        """The next `count` bytes."""
        data = self.data[self._at : self._at + count]
        if len(data) < count:
            raise ProtocolError("a packet shorter than what it holds")
        self._at += count
        return data

    def string(self) -> str:
        """A string; null is an empty one here."""
        try:
            text, self._at = wire.read_string(self.data, self._text, self._at)
        except IndexError:
            raise ProtocolError("a string longer than its packet") from None
        return text or ""

    def headers(self, codes: dict[int, str]) -> list[tuple[str, str]]:
        """How many there are, then their names and values."""
        return [(self._name(codes), self.string()) for _ in range(self.number())]

    def _name(self, codes: dict[int, str]) -> str:
        if self.data[self._at : self._at + 1] != bytes([wire.CODED_HEADER]):
            return self.string()
        code = self.number() & 0xFF
        return codes.get(code, f"header {code}")


def read_forward_request(number: int, payload: Payload) -> Asked:
    """A request; what it says beside method and headers becomes pairs as well."""
    code = payload.byte()
    method = wire.METHODS.get(code, f"method {code}")
    protocol, target = payload.string(), payload.string()
    pairs = [(name, payload.string()) for name in ("remote_addr", "remote_host")]
    pairs.append(("server_name", payload.string()))
    pairs.append(("server_port", str(payload.number())))
    pairs.append(("is_ssl", str(payload.byte())))
    pairs += payload.headers(wire.REQUEST_HEADERS)
    for name, value in read_attributes(payload):
        if name == wire.ATTRIBUTES[wire.METHOD]:
            method = value
        elif name == "query_string" and value:
            target += "?" + value
        pairs.append((name, value))
    return Asked(number, f"{method} {target} {protocol}", tuple(pairs))


def read_attributes(payload: Payload) -> list[tuple[str, str]]:
    """Names and values of what follows the headers."""
    pairs = []
    while (code := payload.byte()) != wire.NO_MORE:
        if code == wire.REQUEST_ATTRIBUTE:
            pairs.append((payload.string(), payload.string()))
        elif code == wire.SSL_KEY_SIZE:
            pairs.append(("ssl_key_size", str(payload.number())))
        else:
            pairs.append(
                (wire.ATTRIBUTES.get(code, f"attribute {code}"), payload.string())
            )
    return pairs
