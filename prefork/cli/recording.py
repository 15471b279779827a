"""What `prefork inspect --save` writes: a line of JSON for each piece.

    {"inspected": "unix:/run/php.sock", "protocol": "fastcgi", "began": 1795342271.5}
    {"at": 0.0001, "connection": 1, "peer": "a unix socket"}
    {"at": 0.0002, "connection": 1, "side": "client", "data": "AQEAAQAI..."}
    {"at": 0.0091, "connection": 1, "side": "server", "data": ""}
    {"at": 0.0092, "connection": 1, "closed": ""}

Data is in base64; none is the end of what a side says.
"""

import base64
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TextIO

from prefork.errors import CommandError
from prefork.monitor.escape import escape_unprintable
from prefork.monitor.times import format_rfc3339
from prefork.protocols.watching.events import Side
from prefork.system.relay import Observer


@contextmanager
def create(path: str, target: str, protocol: str, began: float) -> Iterator[TextIO]:
    """A new file, for its owner alone: passwords pass by.  CommandError."""
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise CommandError(f"cannot write {path}: {error.strerror}") from None
    with open(fd, "w", encoding="ascii") as file:
        head = {"inspected": target, "protocol": protocol, "began": began}
        print(json.dumps(head), file=file)
        yield file


class Recorder:
    """An observer that writes down what it is told, and tells another."""

    def __init__(self, file: TextIO, observer: Observer) -> None:
        self._file = file
        self._observer = observer

    def opened(self, at: float, number: int, peer: str) -> None:
        """A client has come."""
        at = self._write(at, number, peer=peer)
        self._observer.opened(at, number, peer)

    def said(self, at: float, number: int, side: Side, data: bytes) -> None:
        """A side has said something; b"": it will say no more."""
        text = base64.b64encode(data).decode()
        at = self._write(at, number, side=side.value, data=text)
        self._observer.said(at, number, side, data)

    def closed(self, at: float, number: int, reason: str) -> None:
        """A connection is over."""
        at = self._write(at, number, closed=reason)
        self._observer.closed(at, number, reason)

    def waited(self, at: float) -> None:
        """Some time has passed."""
        self._file.flush()
        self._observer.waited(at)

    def _write(self, at: float, number: int, **what: str) -> float:
        """Returns when that was by the file, so that both are told the same."""
        at = round(at, 6)
        line = {"at": at, "connection": number, **what}
        print(json.dumps(line), file=self._file)
        return at


class Recording:
    """A file that was written so, to be told again."""

    def __init__(self, path: str) -> None:
        """Read its first line.  CommandError."""
        self._path = path
        try:
            with open(path, encoding="ascii", errors="replace") as file:
                head = json.loads(file.readline())
            self.protocol, self.began = str(head["protocol"]), float(head["began"])
            format_rfc3339(self.began)  # is it a time at all?
        except OSError as error:
            raise CommandError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, OverflowError):
            raise CommandError(f"{path} is nothing that --save has written") from None

    def replay(self, observer: Observer) -> float:
        """Tell all of it, and return when it ended.  CommandError."""
        at = 0.0
        with open(self._path, encoding="ascii", errors="replace") as file:
            file.readline()
            for number, line in enumerate(file, start=2):
                try:
                    at = tell(json.loads(line), observer)
                except (ValueError, KeyError, TypeError, OverflowError):
                    raise CommandError(f"{self._path}, line {number}: broken") from None
        return at


def tell(line: dict[str, Any], observer: Observer) -> float:
    """Tell what a line has; return when that was."""
    at, connection = float(line["at"]), int(line["connection"])
    if "peer" in line:
        observer.opened(at, connection, escape_unprintable(line["peer"]))
    elif "closed" in line:
        observer.closed(at, connection, escape_unprintable(line["closed"]))
    else:
        data = base64.b64decode(line["data"], validate=True)
        observer.said(at, connection, Side(line["side"]), data)
    return at
