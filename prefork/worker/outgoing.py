"""What has yet to leave for a client that does not take it all at once."""

import os
from collections import deque
from typing import BinaryIO

from prefork.errors import ClientGone

SENDFILE_MOST = 0x7FFFF000  # bytes a call: sendfile(2), NOTES


class FilePart:
    """A stretch of an open file, to be sent by sendfile(2)."""

    __slots__ = ("_file", "_offset", "left")

    def __init__(self, file: BinaryIO, offset: int, length: int) -> None:
        self._file = file
        self._offset = offset
        self.left = length

    def send(self, fd: int) -> None:
        """Send some of it; BlockingIOError if the socket takes none."""
        count = min(self.left, SENDFILE_MOST)
        sent = os.sendfile(fd, self._file.fileno(), self._offset, count)
        if not sent:
            raise ClientGone("the file became shorter while it was sent")
        self._offset += sent
        self.left -= sent

    def close(self) -> None:
        self._file.close()


class BytesPart:
    """Bytes that wait for their turn."""

    __slots__ = ("_view",)

    def __init__(self, data: bytes | memoryview) -> None:
        self._view = memoryview(data)

    @property
    def left(self) -> int:
        return len(self._view)

    def send(self, fd: int) -> None:
        self._view = self._view[os.write(fd, self._view) :]

    def close(self) -> None:
        pass


class Outgoing:
    """The parts of answers still to be sent on one connection, in order."""

    __slots__ = ("_parts", "size")

    def __init__(self) -> None:
        self._parts: deque[BytesPart | FilePart] = deque()
        self.size = 0  # bytes held in memory: a file's do not count

    def add(self, part: BytesPart | FilePart) -> None:
        self._parts.append(part)
        if isinstance(part, BytesPart):
            self.size += part.left

    def flush(self, fd: int) -> bool:
        """Send what the socket takes; True when all is gone.  ClientGone."""
        while self._parts:
            part = self._parts[0]
            if part.left and not self._send(part, fd):
                return False
            if not part.left:
                self._parts.popleft().close()
        return True

    def _send(self, part: BytesPart | FilePart, fd: int) -> bool:
        """Send some of a part; False if the socket takes none."""
        before = part.left
        try:
            part.send(fd)
        except BlockingIOError:
            return False
        except ClientGone:  # which is an OSError too
            raise
        # ValueError: the application has closed the file that is being sent.
        except (OSError, ValueError) as error:
            raise ClientGone(f"could not send: {error}") from error
        if isinstance(part, BytesPart):
            self.size -= before - part.left
        return True

    def discard(self) -> None:
        """Forget everything: the client is gone."""
        while self._parts:
            self._parts.popleft().close()
        self.size = 0
