"""The protocols that can be looked at, and where each of them is.

To add one, add a line.
"""

from importlib import import_module

from prefork.protocols.watching.witness import Script, Witness

SCRIPTS = {
    "http": "prefork.protocols.watching.http:HttpScript",
    "fastcgi": "prefork.protocols.watching.fastcgi:FastcgiScript",
    "scgi": "prefork.protocols.watching.packets:ScgiScript",
    "uwsgi": "prefork.protocols.watching.packets:UwsgiScript",
    "ajp": "prefork.protocols.watching.ajp:AjpScript",
    "auto": "prefork.protocols.watching.auto:AutoScript",
}


def watch(protocol: str) -> Witness:
    """A witness of one connection that speaks that protocol."""
    return Witness(find_script(protocol))


def find_script(protocol: str) -> Script:
    """How that protocol is read."""
    module, _, name = SCRIPTS[protocol].partition(":")
    script: Script = getattr(import_module(module), name)()
    return script
