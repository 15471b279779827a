"""Delivery: what is left to do for clients that were answered.

An answer that is taken slowly is drained.  And who still sends a request of which
nobody wants more is read from, until it has its answer.
"""

import select
import time

from prefork.errors import ClientGone
from prefork.worker.client import Client, ClientState
from prefork.worker.guests import Guests

LINGER = 10.0  # seconds at most for reading on after an early answer
LINGER_SILENT = 2.0  # seconds of silence that end it
MOST_PASSED_OVER = 1 << 30  # bytes of a body that are dropped until its sender reads


class Delivery:
    """Sees that answers arrive whole, one step each time that their client is heard.

    `write_timeout`: seconds that a client may take nothing.
    """

    def __init__(self, guests: Guests, *, write_timeout: float) -> None:
        self._guests = guests
        self._write_timeout = write_timeout

    def advance(self, client: Client) -> bool:
        """Send what is left; True when all is sent and the connection is kept.

        Otherwise the client is waited for, or its connection is closed.
        """
        if client.outgoing is not None and not self._drain(client):
            return False
        if client.has_open_end and not client.is_cut:
            client.finish_open_end()
        if client.keep:
            return True
        if client.has_unread_input() and not client.is_cut:
            self._linger(client)
        else:
            self._guests.dismiss(client)
        return False

    def _drain(self, client: Client) -> bool:
        """Send what it takes; True when it has all.

        Those who send all of a body before they read, as Apache does, have to get rid
        of that first, though nobody wants it.
        """
        try:
            is_sent = client.flush()
        except ClientGone:
            self._guests.dismiss(client)
            return False
        if is_sent:
            return True
        events = select.EPOLLOUT
        is_unread = not client.keep and client.has_unread_input()
        if is_unread and client.drop_input() and client.size < MOST_PASSED_OVER:
            events |= select.EPOLLIN
        client.state = ClientState.DRAINING
        client.deadline = time.monotonic() + self._write_timeout
        self._guests.keep(client, events)
        return False

    def _linger(self, client: Client) -> None:
        """RFC 9112 9.6: shut, and read until the client has our answer.

        A close() with unread bytes would reset the connection, and the reset
        could overtake the answer.
        """
        client.shut()
        client.state = ClientState.LINGERING
        client.since = time.monotonic()
        self.read_on(client)

    def read_on(self, client: Client) -> None:
        """Read one piece of one that lingers: who goes on sending must not keep us
        from the others."""
        end = client.since + LINGER
        client.deadline = min(time.monotonic() + LINGER_SILENT, end)
        if client.drop_input():
            self._guests.keep(client, select.EPOLLIN)
        else:
            self._guests.dismiss(client)
