"""Names: what the hosts of addresses mean, found out by who may wait for it.

getaddrinfo(3) asks a name server, and takes as long as that likes.  So the master
never does: before a reload the child asks that reads the configuration, and before
the start there is nobody else who would have to wait.
"""

import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from prefork.system.address import Address, AddressKind, parse_bind

PATIENCE = 6.0  # seconds, of the 10 that a CHECK has (prefork/master/check.py)


def look_up(binds: Iterable[str], *, patience: float = PATIENCE) -> tuple[str, ...]:
    """NAME=NUMBER for each name in these addresses; or NAME=why there is none.

    It is no error: whoever listens there already does not need it.
    """
    hosts = dict.fromkeys(address.host for address in map(parse_bind, binds))
    names = [host for host in hosts if host and not _is_number(host)]
    if not names:
        return ()
    silence = f"no answer in {patience:g} s"
    found = dict.fromkeys(names, silence) | _ask_for_all(names, patience)
    return tuple(f"{name}={meaning}" for name, meaning in found.items())


def _is_number(host: str) -> bool:
    try:
        socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (socket.gaierror, UnicodeError):
        return False
    return True


def _ask_for_all(names: Iterable[str], patience: float) -> dict[str, str]:
    """The answers that came in time; of each other name a thread is left behind."""
    from threading import Thread  # only for those who bind a name

    found: dict[str, str] = {}

    def ask(name: str) -> None:
        found[name] = _ask(name)

    threads = [Thread(target=ask, args=(name,), daemon=True) for name in names]
    give_up = time.monotonic() + patience
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, give_up - time.monotonic()))
    return dict(found)


def _ask(name: str) -> str:
    try:
        answers = socket.getaddrinfo(
            name, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except socket.gaierror as error:
        return error.strerror or str(error)
    except UnicodeError as error:
        return str(error)
    return str(answers[0][4][0])


def understand(binds: Iterable[str], found: Iterable[str]) -> Iterator[Address]:
    """The addresses, each with the meaning of its name as look_up() has found it."""
    meanings: Mapping[str, str] = dict(pair.split("=", 1) for pair in found)
    for address in map(parse_bind, binds):
        is_found = address.kind is AddressKind.TCP and address.host in meanings
        yield replace(address, meaning=meanings[address.host]) if is_found else address
