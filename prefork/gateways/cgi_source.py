"""The body of a request on its way into a program, and how long it is.

RFC 3875 4.2: "A request-body is supplied with the request if the CONTENT_LENGTH is
not NULL."  So one whose length its client does not tell, a chunked one, is received
whole before the program starts: many read nothing unless they are told how much.
Others stream, a piece at a time.
"""

from collections.abc import Callable
from os import write
from typing import BinaryIO, Protocol

from prefork.gateways.cgi_spool import Spool
from prefork.protocols.request import Request

PIPE = -1  # as of system/program.py
PIECE = 65536  # bytes
Open = Callable[[], BinaryIO]  # a file without a name: system/scratch.py


class Arriving(Protocol):
    """The part of a body that is still to come: worker/body.py."""

    @property
    def is_over(self) -> bool: ...
    def left(self) -> float: ...
    def read_available(self) -> bytes | None: ...


class Source:
    """What a program is to read.

    `whole` is a body that is here, `arriving` one that is still to come, `file` an
    open one that the program reads by itself: one of the three, or none.
    """

    def __init__(
        self,
        whole: bytes = b"",
        *,
        arriving: Arriving | None = None,
        file: BinaryIO | None = None,
        length: str = "",
    ) -> None:
        self._piece = memoryview(whole)
        self._arriving = arriving
        self._file = file
        self.length = length  # CONTENT_LENGTH; "": there is no body
        self._spool: Spool | None = None  # between what has arrived and the piece
        self.is_arriving = arriving is not None

    @property
    def stdin(self) -> int | None:
        """For the start of the program: a descriptor, PIPE, or None for nothing."""
        if self._file is not None:
            return self._file.fileno()
        return None if self.is_over else PIPE

    @property
    def is_over(self) -> bool:
        return not (self.is_arriving or self.has_more)

    @property
    def has_more(self) -> bool:
        """Is there something to give the program now?"""
        return bool(self._piece) or self._has_kept

    @property
    def _has_kept(self) -> bool:
        return self._spool is not None and not self._spool.is_empty

    def left(self) -> float:
        """Seconds that the client has to send more of it."""
        assert self._arriving is not None
        return self._arriving.left()

    def refill(self) -> None:
        """Have a piece, of what is kept or has arrived; ClientGone if no more will."""
        if self._piece:
            return
        if self._spool is not None and self._has_kept:
            self._piece = memoryview(self._spool.take(PIECE))
        elif self.is_arriving:
            self._piece = memoryview(self._receive())

    def keep(self, open_scratch: Open) -> None:
        """Keep what has arrived beyond the piece, so that the client can send on.

        ClientGone; and OSError if there is no room.
        """
        if self.is_arriving and self.has_more:
            data = self._receive()
            if data:
                self._spool = self._spool or Spool(open_scratch())
                self._spool.add(data)

    def discard(self) -> None:
        """Receive what has arrived, for nobody: the client can send on.  ClientGone."""
        if self.is_arriving:
            self._receive()

    def _receive(self) -> bytes:
        assert self._arriving is not None
        data = self._arriving.read_available()
        self.is_arriving = not self._arriving.is_over
        return data or b""

    def pour(self, fd: int) -> None:
        """Give the program what it takes.  BrokenPipeError: it takes no more."""
        try:
            count = write(fd, self._piece)
        except BlockingIOError:
            return
        self._piece = self._piece[count:]

    def close(self) -> None:
        for file in (self._file, self._spool):
            if file is not None:
                file.close()


def open_source(request: Request, body: BinaryIO, open_scratch: Open) -> Source:
    """The body of a request; ClientGone if it breaks off, OSError if it cannot be
    kept."""
    length = request.variables.get("CONTENT_LENGTH", "")
    if request.body is None:
        return Source()
    # A body that is whole is a BytesIO.  One that is arriving is a buffer, and the raw
    # stream below that can be asked without waiting.
    arriving = getattr(body, "raw", None)
    if arriving is None:
        whole = body.read()
        return Source(whole, length=length or (str(len(whole)) if whole else ""))
    if length:
        return Source(arriving=arriving, length=length)
    file, size = _receive(body, open_scratch())
    return Source(file=file, length=str(size) if size else "")


def _receive(body: BinaryIO, file: BinaryIO) -> tuple[BinaryIO, int]:
    """All that is still to come, in that file, and its size."""
    try:
        size = 0
        while data := body.read(PIECE):
            size += file.write(data)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, size
