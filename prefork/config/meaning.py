"""What names in a configuration mean just now: hosts, and who owns sockets.

A name server or LDAP may be far away and slow; so the master looks them up before it
begins to serve, and after that leaves it to a child (prefork/cli/resolve.py).
"""

from dataclasses import replace

from prefork.settings import Settings
from prefork.system import privileges
from prefork.system.names import PATIENCE, look_up


def find_meanings(settings: Settings, *, patience: float = PATIENCE) -> Settings:
    """The same with `hosts` and `owner`; raises ConfigError for an unknown owner.

    `patience`: seconds for the name server.
    """
    hosts = look_up(settings.bind, patience=patience)
    return replace(settings, hosts=hosts, owner=_find_owner(settings.socket_owner))


def _find_owner(name: str) -> tuple[int, int] | None:
    if not name:
        return None
    user, _, group = name.partition(":")
    identity = privileges.look_up(user, group)
    return identity.uid, identity.gid
