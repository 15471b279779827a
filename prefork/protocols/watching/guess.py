"""A witness who finds out by the first byte what is spoken."""

from prefork.protocols.auto import PROTOCOL_OF
from prefork.protocols.watching.events import Broken, Event, Side
from prefork.protocols.watching.table import watch
from prefork.protocols.watching.witness import Witness


class GuessingWitness:
    """It is the client that speaks first, in all of them."""

    def __init__(self) -> None:
        self._witness: Witness | None = None
        self._is_lost = False
        self.protocol = ""  # once it is known

    def hear(self, side: Side, data: bytes) -> list[Event]:
        """Take what a side has said; b"": it will say no more."""
        if self._witness is not None:
            return self._witness.hear(side, data)
        if self._is_lost or not data:
            return []
        self.protocol = PROTOCOL_OF.get(data[0], "")
        if side is Side.CLIENT and self.protocol:
            self._witness = watch(self.protocol)
            return self._witness.hear(side, data)
        self._is_lost = True
        if side is Side.SERVER:
            return [Broken("the server speaks first, as in none of the protocols")]
        return [Broken(f"no protocol begins {data[:4].hex(' ')}")]
