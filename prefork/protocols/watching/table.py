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
    "cgi": "prefork.protocols.watching.cgi:PlainScript",
}


def watch(protocol: str) -> Witness:
    """A witness of one connection that speaks that protocol."""
    module, _, name = SCRIPTS[protocol].partition(":")
    script: Script = getattr(import_module(module), name)()
    return Witness(script)
