"""Somebody to ask: a connection to an address, or a program that runs."""

import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path

from prefork.errors import TimedOut, Unreachable
from prefork.system.address import Address, AddressKind
from prefork.system.local import connect

LEAST = 0.001  # seconds: the system takes 0 for as long as it likes, and no less


def reach(address: Address, *, within: float) -> socket.socket:
    """Connect; Unreachable, or TimedOut, says why that is not possible."""
    within = max(within, LEAST)
    try:
        if address.kind is AddressKind.TCP:
            return socket.create_connection((address.host, address.port), within)
        return connect(address.place.removeprefix("unix:"), timeout=within)
    except (TimeoutError, BlockingIOError):
        raise TimedOut(f"{address.place} does not accept in time") from None
    except OSError as error:
        raise refuse(f"cannot connect to {address.place}", error) from None


def refuse(what: str, error: OSError) -> Unreachable:
    """The error as a sentence for an operator."""
    # asyncio has words of its own instead of the system's; names have no such number.
    number = error.errno or 0
    words = os.strerror(number) if number > 0 else error.strerror or str(error)
    return Unreachable(f"{what}: {words.lower()}")


class AskedProgram:
    """A program of CGI that has been started, in its directory as is usual."""

    def __init__(self, path: Path, environment: Mapping[str, bytes]) -> None:
        """Start it; Unreachable says why that is not possible."""
        variables = {os.fsencode(name): value for name, value in environment.items()}
        variables.setdefault(b"PATH", os.environb.get(b"PATH", os.defpath.encode()))
        try:
            self._process = subprocess.Popen(
                [path],
                bufsize=0,
                env=variables,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=path.parent,
                start_new_session=True,
            )
        except OSError as error:
            raise refuse(f"cannot run {path}", error) from None
        pipes = self._process.stdin, self._process.stdout, self._process.stderr
        self.input, self.output, self.errors = (pipe.fileno() for pipe in pipes if pipe)

    def end_input(self) -> None:
        """Let it read the end of the body."""
        if self._process.stdin is not None:
            self._process.stdin.close()

    def end(self) -> None:
        """Have it end, with what it has started, if it has not ended itself."""
        with self._process:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
