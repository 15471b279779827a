"""Passing on what others say: connections accepted here, and made there.

Nothing is changed or kept: where one side does not read, the other is not read
either; an end is passed on as the end of that direction, a reset as a reset.
"""

import asyncio
import resource
import socket
import struct
import time
from typing import Protocol

from prefork.errors import Unreachable
from prefork.protocols.watching.events import Side
from prefork.system.address import Address, AddressKind
from prefork.system.listen import Listener
from prefork.system.reach import refuse

PIECE = 65536  # bytes that are read at once
MOST_CONNECTIONS = 300  # at once; others wait
FURTHER_DESCRIPTORS = 40  # beside the two of each connection
PERIOD = 0.25  # seconds
PATIENCE = 10.0  # seconds to connect
PAUSE = 0.02  # seconds until a queue that was full is tried again
RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # struct linger: on, no seconds


class Observer(Protocol):
    """Who is told of everything, and when: in seconds since it began."""

    def opened(self, at: float, number: int, peer: str) -> None:
        """A client has come."""

    def said(self, at: float, number: int, side: Side, data: bytes) -> None:
        """A side has said something; b"": it will say no more."""

    def closed(self, at: float, number: int, reason: str) -> None:
        """It is over; `reason` is what was out of the ordinary, or ""."""

    def waited(self, at: float) -> None:
        """A quarter of a second has passed."""


class Reset(Exception):
    """A side has reset its connection; the text says which."""


class Relay:
    """Accepts, connects, and tells its observer, until it is cancelled."""

    def __init__(self, listener: Listener, target: Address, observer: Observer) -> None:
        self._listener = listener
        self._target = target
        self._observer = observer
        self._began = time.monotonic()
        self._places = asyncio.Semaphore(count_places())

    async def run(self) -> None:
        """Pass on; connections that are left when it is cancelled are closed."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._wait())
            number = 0
            while await self._places.acquire():
                client, peer = await self._accept()
                number += 1
                group.create_task(self._pass_on(number, client, describe(peer)))

    async def _accept(self) -> tuple[socket.socket, object]:
        # Not sock_accept() of the loop, which fails, and loses a client, if it is
        # cancelled at the moment that one comes.
        loop = asyncio.get_running_loop()
        while True:
            try:
                return self._listener.socket.accept()
            except (BlockingIOError, ConnectionAbortedError):
                arrival = asyncio.Event()
                loop.add_reader(self._listener.socket, arrival.set)
            try:
                await arrival.wait()
            finally:
                loop.remove_reader(self._listener.socket)

    def _tell_time(self) -> float:
        return time.monotonic() - self._began

    async def _wait(self) -> None:
        while True:
            await asyncio.sleep(PERIOD)
            self._observer.waited(self._tell_time())

    async def _pass_on(self, number: int, client: socket.socket, peer: str) -> None:
        reason = "still open"
        try:
            with client:
                self._observer.opened(self._tell_time(), number, peer)
                reason = await self._connect(number, client)
        finally:
            self._places.release()
            self._observer.closed(self._tell_time(), number, reason)

    async def _connect(self, number: int, client: socket.socket) -> str:
        reason = ""
        client.setblocking(False)
        try:
            server = await reach_in_time(self._target)
        except Unreachable as error:
            reset(client)
            return str(error)
        with server:
            try:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(number, Side.CLIENT, client, server))
                    group.create_task(self._pump(number, Side.SERVER, server, client))
            except* Reset as errors:
                reset(client, server)
                reason = str(errors.exceptions[0])
        return reason

    async def _pump(
        self, number: int, side: Side, source: socket.socket, sink: socket.socket
    ) -> None:
        """Pass on one direction, until its end or until nobody takes it."""
        loop = asyncio.get_running_loop()
        data = b"?"
        while data:
            try:
                data = await loop.sock_recv(source, PIECE)
            except OSError:
                raise Reset(f"reset by the {side.value}") from None
            self._observer.said(self._tell_time(), number, side, data)
            try:
                await loop.sock_sendall(sink, data)
            except OSError:
                return  # what it has said before may yet be read
        finish(sink)


async def reach_in_time(target: Address) -> socket.socket:
    """Connect; Unreachable says why that is not possible."""
    try:
        async with asyncio.timeout(PATIENCE):
            return await _reach(target)
    except TimeoutError:
        raise Unreachable(f"{target.place} does not accept in time") from None
    except OSError as error:
        raise refuse(f"cannot connect to {target.place}", error) from None


async def _reach(target: Address) -> socket.socket:
    if target.kind is AddressKind.TCP:
        return await _reach_host(target.host, target.port)
    # unix(7): an abstract name begins with a NUL.
    mark = "\0" if target.kind is AddressKind.ABSTRACT else ""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        while True:
            try:
                server.connect(mark + target.path)
                return server
            except BlockingIOError:  # its queue is full
                await asyncio.sleep(PAUSE)
    except BaseException:
        server.close()
        raise


async def _reach_host(host: str, port: int) -> socket.socket:
    loop = asyncio.get_running_loop()
    last = OSError(f"no address of {host}")
    for family, kind, protocol, _, place in await loop.getaddrinfo(
        host, port, type=socket.SOCK_STREAM
    ):
        server = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
        try:
            await loop.sock_connect(server, place)
            return server
        except OSError as error:
            server.close()
            last = error
        except BaseException:
            server.close()
            raise
    raise last


def count_places() -> int:
    """How many connections there may be at once."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return max(1, min(MOST_CONNECTIONS, (soft - FURTHER_DESCRIPTORS) // 2))


def describe(peer: object) -> str:
    """Who a client is, as accept(2) tells."""
    match peer:
        case (str(host), int(port)):
            return f"{host}:{port}"
        case (str(host), int(port), _, _):
            return f"[{host}]:{port}"
    return "a unix socket"


def finish(sink: socket.socket) -> None:
    """Nothing more will be sent there."""
    try:
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # it has left already


def reset(*sockets: socket.socket) -> None:
    """Have them close so that nobody takes what was sent for a whole answer."""
    for sock in sockets:
        if sock.family != socket.AF_UNIX:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
