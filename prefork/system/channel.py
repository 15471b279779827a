"""Messages between master, templates and workers: SOCK_SEQPACKET, JSON, fds.

One message is one packet: it arrives whole or not at all.  Descriptors travel
beside it (SCM_RIGHTS), and the kernel itself signs each message with the pid of
its sender (SCM_CREDENTIALS, unix(7)), so that no process can speak for another.
End of file is a message too: the other side is gone.
"""

import array
import json
import select
import socket
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

LONGEST = 192 * 1024  # bytes of one message; the kernel takes 208 KiB at once
MOST_DESCRIPTORS = 128  # the kernel's own limit is 253 (SCM_MAX_FD)
# Characters of a text that travels in a message: six bytes each, at worst.
TEXT_LIMIT = 30_000

_CREDENTIALS = struct.Struct("3i")  # struct ucred: pid, uid, gid
_ROOM = socket.CMSG_SPACE(_CREDENTIALS.size) + socket.CMSG_SPACE(4 * MOST_DESCRIPTORS)


@dataclass(frozen=True, slots=True)
class Message:
    """One message as it was received; `descriptors` are the receiver's to close."""

    kind: str
    fields: dict[str, Any]
    descriptors: list[int]
    sender: int  # pid, by the kernel's word; 0 where the receiver did not ask


class Channel:
    """One end of a conversation; never blocks unless made to wait.

    MSG_DONTWAIT, not O_NONBLOCK: an application can find the descriptor and clear
    its flag, and then a worker would wait for its master instead of serving.
    """

    def __init__(self, connection: socket.socket) -> None:
        # Or it has the application's socket.setdefaulttimeout(), and recvmsg()
        # waits that long in spite of MSG_DONTWAIT.
        connection.settimeout(None)
        self._socket = connection
        self._put_aside: deque[Message] = deque()
        self.is_closed = False

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(
        self, kind: str, *, descriptors: Sequence[int] = (), **fields: Any
    ) -> bool:
        """Send one message; False if the other side is gone, or does not read, or
        if the kernel or the other side would not take it."""
        data = _write_fields({"kind": kind, **fields})
        if len(data) > LONGEST:
            return False
        ancillary = []
        if descriptors:
            rights = array.array("i", descriptors)
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)]
        try:
            self._socket.sendmsg([data], ancillary, socket.MSG_DONTWAIT)
        except OSError:  # ETOOMANYREFS, if too many descriptors are on their way
            return False
        return True

    def receive(self) -> Iterator[Message]:
        """All messages that have arrived; sets `is_closed` at end of file.

        One by one, so that who closes the descriptors of each needs no room for
        those of all.
        """
        while self._put_aside:
            yield self._put_aside.popleft()
        while (message := self._receive_one()) is not None:
            yield message

    def pick(self, kind: str) -> Iterator[Message]:
        """Those of one kind that have arrived; the others are put aside, and no
        descriptor tells of them any more: see `has_put_aside`."""
        while (message := self._receive_one()) is not None:
            if message.kind == kind:
                yield message
            else:
                self._put_aside.append(message)

    @property
    def has_put_aside(self) -> bool:
        """Are there messages that only receive() will find?"""
        return bool(self._put_aside)

    def hear_out(self) -> Iterator[Message]:
        """What has been sent so far; whoever sends more is told that nobody hears.

        So no message is lost on its way to one who leaves.  `is_closed` after it, but
        what is said from here still arrives.
        """
        with suppress(OSError):  # the other side may be gone
            self._socket.shutdown(socket.SHUT_RD)
        return self.receive()

    def wait(self) -> Message | None:
        """Block until one message arrives; None at end of file."""
        poll = select.poll()
        poll.register(self.fileno(), select.POLLIN)
        while (message := self._receive_one()) is None and not self.is_closed:
            poll.poll()
        return message

    def close(self) -> None:
        self.is_closed = True
        self._socket.close()

    def _receive_one(self) -> Message | None:
        if self.is_closed:
            return None
        try:
            data, ancillary, _, _ = self._socket.recvmsg(
                LONGEST, _ROOM, socket.MSG_CMSG_CLOEXEC | socket.MSG_DONTWAIT
            )
        except BlockingIOError:
            return None
        except ConnectionError:
            data, ancillary = b"", []
        if not data:
            self.is_closed = True
            return None
        fields = _read_fields(data)
        descriptors, sender = _read_ancillary(ancillary)
        return Message(fields.pop("kind"), fields, descriptors, sender)


def _write_fields(fields: dict[str, Any]) -> bytes:
    # As UTF-8, since a character that is escaped takes up to twelve bytes.
    return json.dumps(fields, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _read_fields(data: bytes) -> dict[str, Any]:
    """The fields of a message; of what is none, a kind that nobody knows.

    An application may write anything into any descriptor, and the master hears it.
    """
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        fields = None
    return fields if isinstance(fields, dict) and "kind" in fields else {"kind": ""}


def _read_ancillary(ancillary: list[tuple[int, int, bytes]]) -> tuple[list[int], int]:
    descriptors = array.array("i")
    sender = 0
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % descriptors.itemsize])
        elif level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
            sender = _CREDENTIALS.unpack(data[: _CREDENTIALS.size])[0]
    return list(descriptors), sender


def pair() -> tuple[Channel, Channel]:
    """The two ends: the first, which the master keeps, is told who sends."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    return Channel(ours), Channel(theirs)


def adopt(descriptor: int) -> Channel:
    """The channel on a descriptor that was inherited or received."""
    return Channel(socket.socket(fileno=descriptor))
