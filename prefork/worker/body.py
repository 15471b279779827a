"""A request body that is still arriving, as a file: a large wsgi.input."""

import io
import os
import time
from typing import BinaryIO

from prefork.errors import ClientGone, ProtocolError
from prefork.worker.client import Client
from prefork.worker.limits import ClientDeadlines
from prefork.worker.waiting import Waiting

READ_SIZE = 65536
# In FastCGI and AJP a front end can send, and ask for, other things than the body.
MOST_BESIDE = 1 << 20  # bytes on the wire with nothing of the body among them
MOST_UNREAD = 2 << 20  # bytes that it has asked for, and does not read
LEFT = "the client left before its body was complete"


class ArrivingBody(io.RawIOBase):
    """Reads the rest of a body from the client's socket, and decodes it.

    Never shorter than promised: a body that breaks off, is malformed, too large
    or too slow raises ClientGone, whose status says which.
    """

    def __init__(
        self, client: Client, *, waiting: Waiting, deadlines: ClientDeadlines
    ) -> None:
        request = client.request
        assert request is not None and request.body is not None
        self._client = client
        self._request = request
        self._body = request.body
        self._waiting = waiting
        self._deadlines = deadlines
        self._ready = memoryview(b"".join(client.parts))
        self._received = len(self._ready)
        now = time.monotonic()
        # Seconds that we have waited for the client; when nobody reads, none pass.
        self._waited = now - (client.since or now)
        self._waits_since = 0.0  # when left() was asked; 0: nobody waits
        self._beside = 0  # bytes since the last of the body
        if self._ready:
            request.invitation = b""  # it does not wait for one, then

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        while not self._ready:
            if self._body.done:
                return 0
            self._ready = memoryview(self._decode(self._read()))
            self._received += len(self._ready)
        count = min(len(buffer), len(self._ready))
        buffer[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def fileno(self) -> int:
        return self._client.fd

    def read_available(self) -> bytes | None:
        """What has arrived of it; None: nothing new, b"": its end.  Does not wait.

        For a gateway that waits for something else as well.
        """
        if self._ready:
            data, self._ready = bytes(self._ready), memoryview(b"")
            return data
        if self._body.done:
            return b""
        self._stop_waiting(time.monotonic())
        self._invite()
        try:
            wire = os.read(self._client.fd, READ_SIZE)
        except BlockingIOError:
            self._client.hurry()
            return None
        except OSError as error:
            raise ClientGone(f"could not read: {error.strerror}") from error
        if not wire:
            raise ClientGone(LEFT)
        data = self._decode(wire)
        self._received += len(data)
        return data or (b"" if self._body.done else None)

    @property
    def is_over(self) -> bool:
        """Is all of it read?"""
        return self._body.done and not self._ready

    def left(self) -> float:
        """Seconds until the body is late, for a caller who begins to wait for it now.

        The wait lasts until the next call, of this or of read_available().  Time in
        which the caller does something else is not held against the client.
        """
        now = time.monotonic()
        self._stop_waiting(now)
        self._waits_since = now
        until = self._deadlines.for_body(
            since=now - self._waited, received=self._received, now=now
        )
        return max(0.0, until - now)

    def _stop_waiting(self, now: float) -> None:
        if self._waits_since:
            self._waited += now - self._waits_since
            self._waits_since = 0.0

    def _decode(self, data: bytes) -> bytes:
        try:
            payload = self._body.feed(data)
        except ProtocolError as error:
            raise ClientGone(error.reason, status=error.status) from error
        self._client.send_replies()
        self._beside = 0 if payload else self._beside + len(data)
        outgoing = self._client.outgoing
        if self._beside > MOST_BESIDE or (outgoing and outgoing.size > MOST_UNREAD):
            raise ClientGone("it says, or asks, too much beside the body", status=400)
        return payload

    def _read(self) -> bytes:
        self._invite()
        data = self._try_to_read()
        if not data:
            raise ClientGone(LEFT)
        return data

    def _invite(self) -> None:
        if self._request.invitation:
            # RFC 9110 10.1.1: a 100 is sent when the body is wanted, not before.
            self._client.transmit(self._request.invitation)
            self._request.invitation = b""

    def _try_to_read(self) -> bytes:
        while True:
            try:
                return os.read(self._client.fd, READ_SIZE)
            except BlockingIOError:
                self._wait()
            except OSError as error:
                raise ClientGone(f"could not read: {error.strerror}") from error

    def _wait(self) -> None:
        """Wait until more may have arrived; send what is outgoing meanwhile.

        The client may wait for that: it is a request for the next piece (AJP), or the
        beginning of the answer.
        """
        client, waiting = self._client, self._waiting
        client.hurry()
        wait = waiting.wait_either if client.outgoing else waiting.wait_readable
        now = time.monotonic()
        until = self._deadlines.for_body(
            since=now - self._waited, received=self._received, now=now
        )
        if not wait(client.fd, until - now):
            raise ClientGone("the body arrived too slowly", status=408)
        self._waited += time.monotonic() - now
        client.flush()


def open_body(
    client: Client, *, waiting: Waiting, deadlines: ClientDeadlines
) -> BinaryIO:
    """The body of a client's request as a file: whole in memory, or arriving."""
    request = client.request
    assert request is not None
    if request.body is None:
        return io.BytesIO()
    if request.body.done:
        return io.BytesIO(b"".join(client.parts))
    arriving = ArrivingBody(client, waiting=waiting, deadlines=deadlines)
    return io.BufferedReader(arriving, READ_SIZE)
