"""Every setting, once: name, default, flags, help, and what it accepts.

To add a setting, add a field to `Serving`, `Clients` or `Process`.  The command
line, the environment, the configuration file, `--help`, `prefork check` and the man
pages follow.
"""

from dataclasses import dataclass

from prefork.settings.clients import Clients
from prefork.settings.gateways import SERVING, WSGI
from prefork.settings.process import Process
from prefork.settings.serving import Serving

GROUPS = {  # the setting that begins a group: the name of the group
    "app": "Application",
    "bind": "Listening",
    "workers": "Workers",
    "timeout": "Deadlines, in seconds",
    "max_requests": "Recycling: a worker is replaced",
    "lobby_size": "Clients",
    "wrap": "CGI programs",
    "settle": "Copies of the program",
    "user": "Process",
    "access_logfile": "Logs",
}

# What the master does once, when it starts: a reload cannot change it.
FIXED = ("daemon", "pid", "control", "error_logfile", "socket_protocol")


@dataclass(frozen=True, kw_only=True)
class Settings(Process, Clients, Serving):  # of bases, the last one's fields come first
    """The value of every setting; times are in seconds, sizes in bytes."""

    # No settings of an operator, but found out beside them:
    gateway: str = WSGI  # of GATEWAYS, by which command it is
    hosts: tuple[str, ...] = ()  # NAME=NUMBER: what the names in `bind` mean just now
    owner: tuple[int, int] | None = None  # uid, gid: who `socket_owner` is just now

    @property
    def is_complete(self) -> bool:
        """Is there something to serve?"""
        return bool(self.app or self.wrap)

    @property
    def sees_requests(self) -> bool:
        """Not if a worker keeps a program, which alone knows what it serves."""
        return self.gateway in SERVING.split()

    @property
    def title(self) -> str:
        """What the titles of the server's processes say: UTF-8, whatever was typed."""
        return (self.name or self.app).encode("utf-8", "replace").decode()
