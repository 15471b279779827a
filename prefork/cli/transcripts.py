"""What `prefork inspect` prints: a transcript for each connection."""

from dataclasses import dataclass

from prefork.monitor.times import format_rfc3339
from prefork.monitor.transcript import Page, Transcript
from prefork.protocols.watching.events import Asked, Side
from prefork.protocols.watching.table import watch
from prefork.protocols.watching.witness import Witness


@dataclass(frozen=True, slots=True)
class Watched:
    """One connection."""

    witness: Witness
    transcript: Transcript


class Transcripts:
    """An observer: of a relay, or of a recording."""

    def __init__(
        self,
        protocol: str,
        page: Page,
        *,
        began: float,
        with_bytes: bool,
    ) -> None:
        self._protocol = protocol
        self._page = page
        self._began = began  # since the epoch
        self._with_bytes = with_bytes
        self._watched: dict[int, Watched] = {}  # by number of the connection
        self._connections = 0
        self._requests = 0

    @property
    def summary(self) -> str:
        return f"{self._requests} requests on {self._connections} connections"

    def opened(self, at: float, number: int, peer: str) -> None:
        """A client has come."""
        self._connections += 1
        when = format_rfc3339(self._began + at)
        about = f"{self._protocol} from {peer} at {when}"
        transcript = Transcript(f"#{number}", about, self._page)
        self._watched[number] = Watched(watch(self._protocol), transcript)

    def said(self, at: float, number: int, side: Side, data: bytes) -> None:
        """A side has said something; b"": it will say no more."""
        watched = self._watched[number]
        events = watched.witness.hear(side, data)
        self._requests += sum(isinstance(event, Asked) for event in events)
        shown = data if self._with_bytes else b""
        watched.transcript.take(side, events, at, data=shown)

    def closed(self, at: float, number: int, reason: str) -> None:
        """A connection is over."""
        self._watched.pop(number).transcript.finish(at, reason)

    def waited(self, at: float) -> None:
        """Some time has passed."""
        for watched in self._watched.values():
            watched.transcript.write_old(at)

    def finish(self, at: float) -> None:
        """Write what is left of connections whose end nobody has told."""
        for number in list(self._watched):
            self.closed(at, number, "")
