"""An answer in AJP13: packets for its head, its body and its end."""

from prefork.errors import ProtocolError
from prefork.protocols import ajp_packets as ajp
from prefork.protocols.answer import PHRASES, CgiAnswer, check_status
from prefork.protocols.lull import AT_ONCE
from prefork.protocols.memo import BytesMemo, Memo
from prefork.protocols.request import Headers

CODES = {name.lower().encode(): n for n, name in ajp.ANSWER_HEADERS.items()}


def format_data(data: bytes) -> bytes:
    """Bytes of a body, in as many packets as they need."""
    most = ajp.MOST_DATA
    if len(data) <= most:
        return begin_data(len(data)) + data + b"\0"
    view = memoryview(data)
    whole = len(data) // most * most
    packets = FULL_DATA + FULL_TO_FULL.join(
        [view[at : at + most] for at in range(0, whole, most)]
    )
    return packets + b"\0" + (format_data(data[whole:]) if whole < len(data) else b"")


def begin_data(size: int) -> bytes:
    payload = bytes([ajp.SEND_BODY_CHUNK]) + ajp.NUMBER.pack(size)
    return ajp.TO_FRONT_END + ajp.NUMBER.pack(len(payload) + size + 1) + payload


FULL_DATA = begin_data(ajp.MOST_DATA)
FULL_TO_FULL = b"\0" + FULL_DATA
# "Send what you have": Apache would hold a small chunk until there are more.
FLUSH = format_data(b"")
END = {
    reuse: ajp.format_packet(ajp.TO_FRONT_END, bytes([ajp.END_RESPONSE, reuse]))
    for reuse in (False, True)
}


class HeadPackets(BytesMemo[bytes]):
    """SEND_HEADERS, by the head as text; many answers have the same."""

    def compute(self, key: bytes) -> bytes:
        """The packet; ValueError if it would be longer than a packet may be."""
        status, *fields = key.split(b"\r\n")
        code, _, phrase = status.partition(b" ")
        parts = [
            bytes([ajp.SEND_HEADERS]),
            ajp.NUMBER.pack(int(code)),
            ajp.format_string(phrase),
            ajp.NUMBER.pack(len(fields)),
        ]
        for field in fields:
            name, _, value = field.partition(b": ")
            coded = CODES.get(name.lower())
            parts.append(
                bytes([ajp.CODED_HEADER, coded]) if coded else ajp.format_string(name)
            )
            parts.append(ajp.format_string(value))
        payload = b"".join(parts)
        if len(payload) > ajp.LONGEST_PAYLOAD:
            raise ValueError(f"headers longer than {ajp.LONGEST_PAYLOAD} bytes")
        return ajp.format_packet(ajp.TO_FRONT_END, payload)


HEAD_PACKETS = HeadPackets()


def format_first_line(status: str) -> str:
    return " ".join(check_status(status))


class AjpAnswer(CgiAnswer):
    """One answer: start, then chunks, then end; or start alone if complete."""

    __slots__ = ()

    ends_by_closing = False
    lull = AT_ONCE  # nginx has no AJP
    first_lines = Memo(format_first_line)

    def start(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> bytes:
        """The head and the first chunk.  `complete`: no other chunk follows."""
        size = len(chunk) if complete else None
        head = HEAD_PACKETS[self._format_head(status, headers, size)]
        if complete:
            return head + self._format_data(chunk) + self.end()
        return head + self.chunk(chunk)

    def start_file(
        self, status: str, headers: Headers, size: int
    ) -> tuple[bytes, int] | None:
        """None: a file would have to be cut into packets."""
        return None

    def chunk(self, data: bytes) -> bytes:
        """One more chunk, and the wish that it be passed on at once.

        PEP 3333: "WSGI servers, gateways, and middleware must not delay the
        transmission of any block".
        """
        packets = self._format_data(data)
        return packets + FLUSH if packets else b""

    def end(self) -> bytes:
        """What closes the answer: nothing, so that the connection breaks off, if
        the body is shorter than was said; a front end would take it for whole."""
        is_short = bool(self._left)
        self._finish()
        return b"" if is_short else END[self.keep_alive]

    def _format_data(self, data: bytes) -> bytes:
        count = self._take(len(data))
        return format_data(data[:count]) if count else b""


def format_error(error: ProtocolError) -> bytes:
    """A whole answer that says nothing but the status, and closes."""
    status = f"{error.status} {PHRASES.get(error.status, 'Error')}"
    page = status.encode() + b"\n"
    head = f"{status}\r\nContent-Type: text/plain\r\nContent-Length: {len(page)}"
    return HEAD_PACKETS[head.encode()] + format_data(page) + END[False]
