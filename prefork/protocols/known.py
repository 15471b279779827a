"""What front ends ask again: variables, found complete by their bytes.

Web servers name the client's address and port one after the other.  What stands
before the two, and what stands behind them, comes again with every request for the
same thing by clients of the same kind; and so does what follows from it.
"""

from collections.abc import Callable

from prefork.errors import ProtocolError
from prefork.protocols.memo import BytesMemo
from prefork.protocols.terms import Terms
from prefork.protocols.variables import (
    Pairs,
    complete,
    gather,
    is_joined,
    read_length,
)

CLIENT = {"REMOTE_ADDR", "REMOTE_PORT"}
MOST_KNOWN = 256
LONGEST_KNOWN = 4096  # bytes of one that is remembered

VariablesAndLength = tuple[dict[str, str], int | None]  # the body's, in bytes


class VariablesReader:
    """Reads pairs as they are on the wire: 24 of FastCGI in 4 instead of 20 µs.

    `parse` takes the wire's form of pairs apart; `check` has a look at the variables
    as they came, and may raise ProtocolError.
    """

    __slots__ = ("_check", "_clients", "_known", "_parse", "_terms")

    def __init__(
        self,
        parse: Callable[[bytes], Pairs],
        terms: Terms,
        *,
        check: Callable[[dict[str, str]], None] = lambda variables: None,
    ) -> None:
        self._parse = parse
        self._terms = terms
        self._check = check
        self._known: dict[tuple[bytes, bytes], VariablesAndLength] = {}
        self._clients = ClientVariables(parse)

    def read(
        self,
        data: bytes,
        start: int,
        end: int,
        *,
        remote: dict[str, str],
        asked: dict[str, str],
    ) -> VariablesAndLength:
        """Variables that are complete, and the length of the body; ProtocolError.

        `start`, `end`: where REMOTE_ADDR seems to begin, and REMOTE_PORT to end.
        `asked` takes what there was, if it is refused.
        """
        if 0 <= start < end and (client := self._clients[data[start:end]]):
            key = data[:start], data[end:]
            known = self._known.get(key) or self._learn(*key)
            if known is not None:
                return known[0] | client, known[1]
        variables = gather(self._parse(data), self._terms.limits)
        asked.update(variables)
        return self._finish(variables, remote)

    def _learn(self, before: bytes, after: bytes) -> VariablesAndLength | None:
        """Read what stands before and behind the client, without the client.

        None if these two make no sense by themselves.
        """
        limits = self._terms.limits
        try:
            first = gather(self._parse(before), limits)
            second = gather(self._parse(after), limits)
            # nginx appends what its configuration sets again.
            if is_joined(first, second) or not CLIENT.isdisjoint(second):
                return None
            if len(first) + len(second) + len(CLIENT) > limits.variables:
                return None
            # In their place, so that complete() does not take the connection's; read()
            # puts those of each client there.
            client = dict.fromkeys(CLIENT, "")
            found = self._finish(first | client | second, {})
        except ProtocolError:
            return None  # read() tries the whole, and says what is wrong with that
        if len(before) + len(after) <= LONGEST_KNOWN:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[before, after] = found
        return found

    def _finish(
        self, variables: dict[str, str], remote: dict[str, str]
    ) -> VariablesAndLength:
        self._check(variables)
        length = read_length(variables, self._terms.limits)
        return complete(variables, self._terms, remote), length


class ClientVariables(BytesMemo[dict[str, str] | None]):
    """The client's two variables, by their bytes; None if it is not these two.

    Most clients ask more than once on a connection to their web server.
    """

    __slots__ = ("_parse",)

    def __init__(self, parse: Callable[[bytes], Pairs]) -> None:
        self._parse = parse

    def compute(self, key: bytes) -> dict[str, str] | None:
        """Both of the client's variables, and nothing else."""
        try:
            (name, address), (other, port) = self._parse(key)
        except (ProtocolError, ValueError):  # of ValueError: not two of them
            return None
        if name != "REMOTE_ADDR" or other != "REMOTE_PORT":
            return None
        if "\0" in address or "\0" in port:
            return None
        return {name: address, other: port}
