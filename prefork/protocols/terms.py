"""What the protocol of a listener is told of its server: limits, names."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much of a request is taken before it is refused."""

    line: int = 8190  # bytes of the request line
    fields: int = 100  # of HTTP
    field_size: int = 8190  # bytes of one field line
    variables: int = 1000  # pairs, where a front end sends variables
    variables_size: int = 256 << 10  # bytes of them all
    body: int = 1 << 30  # bytes; 0: no limit

    @property
    def head(self) -> int:
        """Bytes of a whole HTTP head: far less than all fields at their longest."""
        return max(128 << 10, self.line + 4 * self.field_size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What all connections of a listener have in common."""

    limits: Limits = Limits()
    defaults: Mapping[str, str] = field(default_factory=dict)  # variables of all
    script_name: str = ""  # the prefix that SCRIPT_NAME is to be; "": as it comes
    capacity: int = 1  # workers, each of which serves one request at a time
    web_servers: str | None = None  # the only peers of FastCGI, if they are named
    secret: str = ""  # that an AJP front end must know; "": none
