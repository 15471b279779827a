"""One accepted connection: what has arrived of it, what has yet to leave.

Plain descriptors and os.read/os.write, not socket objects: an object costs a
getsockname(2) and 1.5 µs a connection (21.6 instead of 16.1 µs for the barest
accept loop on a unix socket).
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from prefork.errors import ClientGone
from prefork.protocols.request import Conversation, Request
from prefork.worker.doors import Door
from prefork.worker.outgoing import BytesPart, FilePart, Outgoing

READ_SIZE = 4096  # bytes: all of a usual request
DROPPED_AT_ONCE = 65536
PEEK = socket.MSG_PEEK | socket.MSG_DONTWAIT
RESET_ON_CLOSE = struct.pack("@ii", 1, 0)  # struct linger: on, seconds
END_ON_CLOSE = struct.pack("@ii", 0, 0)


class ClientState(Enum):
    """Where a connection stands; all but SERVING are spent in the lobby."""

    QUIET = auto()  # nothing of a request: fresh, or kept alive
    HEAD = auto()  # a part of a head
    BODY = auto()  # a head, and a part of a body worth waiting for
    SERVING = auto()  # a request, ready to be served or being served
    DRAINING = auto()  # an answer that the client takes slowly
    LINGERING = auto()  # answered and shut; reading so that the answer survives


class Client:
    """One connection; the lobby and the loop hand it to each other."""

    __slots__ = (
        "conversation",
        "deadline",
        "door",
        "events",
        "fd",
        "has_open_end",
        "is_cut",
        "is_fresh",
        "keep",
        "outgoing",
        "parts",
        "raw",
        "request",
        "since",
        "size",
        "state",
    )

    def __init__(self, fd: int, door: Door, conversation: Conversation) -> None:
        self.fd = fd
        self.door = door
        self.conversation = conversation
        self.state = ClientState.QUIET
        self.is_fresh = True  # has not begun a request yet
        self.events = 0  # what the lobby's epoll watches it for
        self.deadline = 0.0  # monotonic seconds
        self.request: Request | None = None
        # What a sibling would have to be given: all that has been read of a request
        # that came in one piece; b"" if it came in several.
        self.raw = b""
        self.parts: list[bytes] = []  # of the body, decoded
        self.size = 0  # of these parts, and of what was dropped
        self.since = 0.0  # when the body began
        self.keep = False  # another request may follow the answer
        self.has_open_end = False  # only closing ends the answer, and resets till then
        self.is_cut = False  # such an answer has not been written to its end
        self.outgoing: Outgoing | None = None

    def receive(self, data: bytes, *, body_buffer: int) -> bool:
        """Take what arrived; True when there is a request to serve.

        Raises ProtocolError or ClientGone; the connection is then of no more use.
        """
        if self.request is None:
            conversation = self.conversation
            is_first = self.state is ClientState.QUIET and not conversation.has_leftover
            self.raw = data if is_first else b""
            request = conversation.feed(data)
            if request is None:
                return self._receive_no_request(body_buffer)
            self.is_fresh = False
            self.request = request
            self.door.trust(request.variables)
            if request.body is None:
                if conversation.replies:
                    self._send_replies_at_once()
                self.state = ClientState.SERVING
                return True
            data = request.rest
        else:
            self.raw = b""  # a sibling would have the first piece, and not the rest
        return self._receive_body(data, body_buffer)

    def _receive_no_request(self, body_buffer: int) -> bool:
        conversation = self.conversation
        if conversation.successor is not None:
            self.conversation, data = conversation.successor
            if data:
                return self.receive(data, body_buffer=body_buffer)
        self._send_replies_at_once()
        if self.conversation.is_over:
            raise ClientGone("all is said")
        is_idle = self.conversation.is_idle
        self.is_fresh = self.is_fresh and is_idle
        self.state = ClientState.QUIET if is_idle else ClientState.HEAD
        return False

    def send_replies(self) -> None:
        """Send what the protocol itself has to say."""
        conversation = self.conversation
        if conversation.replies:
            self.raw = b""  # a sibling would say that once more
            replies, conversation.replies = conversation.replies, b""
            self.transmit(replies)

    def _send_replies_at_once(self) -> None:
        """The same in the lobby, where one that asks and never reads is not waited
        for."""
        self.send_replies()
        if self.outgoing is not None:
            raise ClientGone("it does not read what it asked for")

    def _receive_body(self, data: bytes, body_buffer: int) -> bool:
        request = self.request
        assert request is not None and request.body is not None
        part = request.body.feed(data)
        self._send_replies_at_once()
        self.parts.append(part)
        self.size += len(part)
        # A client that waits to be invited sends nothing until the application
        # reads: to wait for its body here would be for ever.
        is_enough = self.size >= body_buffer or bool(request.invitation)
        if request.body.done or is_enough:
            self.state = ClientState.SERVING
            return True
        self.state = ClientState.BODY
        self.hurry()
        return False

    @property
    def part(self) -> str:
        """What of its request is arriving: the head, or the body."""
        return self.state.name.lower()

    @property
    def wants_to_stay(self) -> bool:
        """Does it keep its connection for another request?"""
        return self.request is not None and self.request.keep_alive

    @property
    def can_move(self) -> bool:
        """Could a sibling serve it as well?

        Either it is silent, or its request is not begun, whole, and all in `raw`.
        """
        if self.state is ClientState.SERVING:
            request = self.request
            assert request is not None
            return bool(self.raw) and (request.body is None or request.body.done)
        return self.state is ClientState.QUIET and not self.conversation.has_leftover

    def has_unread_input(self) -> bool:
        """Would a close() now find unread bytes, and reset the answer away?"""
        request = self.request
        if request is None:
            return True  # refused: who knows what follows
        if request.may_go_on:
            return True
        if request.body is None:
            return bool(request.rest)
        return not request.body.done or bool(request.body.rest)

    def peek(self) -> bytes:
        """What follows the request, as far as it has come; it stays unread."""
        request = self.request
        assert request is not None
        rest = request.rest if request.body is None else request.body.rest
        with as_socket(self.fd) as connection:
            try:
                return rest + connection.recv(READ_SIZE, PEEK)
            except OSError:
                return rest

    def drop_input(self) -> bool:
        """Read a piece of what nobody wants; False at its end."""
        try:
            count = len(os.read(self.fd, DROPPED_AT_ONCE))
        except BlockingIOError:
            return True
        except OSError:
            return False
        self.size += count
        return count > 0

    def next_request(self) -> bytes:
        """Forget the request that was answered; return what followed it."""
        request = self.request
        assert request is not None
        rest = request.rest if request.body is None else request.body.rest
        self.request = None
        if self.parts:
            self.parts = []
            self.size = 0
            self.since = 0.0
        self.state = ClientState.QUIET
        return rest

    def transmit(self, data: bytes) -> None:
        """Send, and keep in `outgoing` what the socket does not take. ClientGone."""
        sent = 0
        if self.outgoing is None:
            try:
                sent = os.write(self.fd, data)
            except BlockingIOError:
                pass
            except OSError as error:
                raise ClientGone(f"could not send: {error.strerror}") from error
            if sent == len(data):
                return
            self.outgoing = Outgoing()
        self.outgoing.add(BytesPart(memoryview(data)[sent:]))
        self.flush()

    def transmit_file(self, part: FilePart) -> None:
        self.outgoing = self.outgoing or Outgoing()
        self.outgoing.add(part)
        self.flush()

    def flush(self) -> bool:
        """Send what is outgoing; True when nothing is left.  ClientGone."""
        if self.outgoing is None:
            return True
        try:
            if not self.outgoing.flush(self.fd):
                return False
        except ClientGone:
            self.outgoing.discard()
            self.outgoing = None
            raise
        self.outgoing = None
        return True

    def begin_open_end(self) -> None:
        """An answer begins that ends where the connection does.

        Half of it would look whole.  So until all of it is sent a close is a reset
        (socket(7), SO_LINGER): ours, and the kernel's when it ends this process.
        """
        if not self.door.is_unix:  # where nothing resets
            self.has_open_end = self.is_cut = True
            self._set_linger(RESET_ON_CLOSE)

    def finish_open_end(self) -> None:
        """All of it is sent: let a close be the end of it."""
        self.has_open_end = False
        self._set_linger(END_ON_CLOSE)

    def hurry(self) -> None:
        """Before we wait for more of a body: say at once what we have of it.

        lighttpd sends the first bytes of an AJP packet by themselves, and its kernel
        the others when those are acknowledged, which ours would do 40 ms later
        (tcp(7), TCP_QUICKACK: it does not last).
        """
        if self.door.is_unix:
            return
        try:
            self._set_option(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        except OSError:
            pass  # then it is slow

    def _set_linger(self, value: bytes) -> None:
        self._set_option(socket.SOL_SOCKET, socket.SO_LINGER, value)

    def _set_option(self, level: int, name: int, value: int | bytes) -> None:
        with as_socket(self.fd) as connection:
            connection.setsockopt(level, name, value)

    def shut(self) -> None:
        """Say that nothing more will be sent: shutdown(2), SHUT_WR."""
        with as_socket(self.fd) as connection:
            try:
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the client was faster

    def close(self) -> None:
        if self.outgoing is not None:
            self.outgoing.discard()
        # Not kept: the number is soon another client's, and an application may
        # still have what reads and writes here.
        fd, self.fd = self.fd, -1
        os.close(fd)


@contextmanager
def as_socket(fd: int) -> Iterator[socket.socket]:
    """A descriptor as a socket object, for what only that can do; it stays open."""
    connection = socket.socket(fileno=fd)
    try:
        yield connection
    finally:
        connection.detach()
