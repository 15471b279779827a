"""auto: the first byte of a connection tells which script both sides follow."""

from prefork.errors import ProtocolError
from prefork.protocols.auto import PROTOCOL_OF
from prefork.protocols.watching.events import Broken, Say, Unit
from prefork.protocols.watching.reader import Reader, Some, Steps
from prefork.protocols.watching.table import find_script
from prefork.protocols.watching.witness import Script


class AutoScript:
    """Both sides; in all of the protocols it is the client that speaks first."""

    say: Say

    def __init__(self) -> None:
        self._script: Script | None = None

    def read_requests(self) -> Steps:
        """Everything that a client says; its first byte tells the protocol."""
        data = yield Some()
        if data:
            self._script = self._choose(data)
            yield from self._follow(self._script.read_requests(), data)

    def read_answers(self) -> Steps:
        """Everything that a server says, in the protocol that the client has begun."""
        data = yield Some()
        if self._script is not None:
            yield from self._follow(self._script.read_answers(), data)
        elif data:
            raise ProtocolError("the server speaks first, as in none of the protocols")

    def _choose(self, data: bytes) -> Script:
        protocol = PROTOCOL_OF.get(data[0])
        if protocol is None:
            raise ProtocolError(f"no protocol begins {data[:4].hex(' ')}")
        self.say(Unit(1, "protocol", 0, protocol))
        script = find_script(protocol)
        script.say = self.say
        return script

    def _follow(self, steps: Steps, data: bytes) -> Steps:
        reader = Reader(steps, self._fail)
        while data:
            reader.feed(data)
            data = yield Some()
        reader.end()

    def _fail(self, reason: str) -> None:
        self.say(Broken(reason))
