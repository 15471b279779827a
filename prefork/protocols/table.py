"""The protocols that a listener can speak, and where each of them is.

To add one, add a line.  Modules are imported when a listener wants them.
"""

from importlib import import_module

from prefork.protocols.request import Language
from prefork.protocols.terms import Terms

DEFAULT_PROTOCOL = "http"

PROTOCOLS = {
    "auto": "prefork.protocols.auto:Auto",
    "fastcgi": "prefork.protocols.fastcgi:Fastcgi",
    "http": "prefork.protocols.http:Http",
    "scgi": "prefork.protocols.scgi:Scgi",
    "uwsgi": "prefork.protocols.uwsgi:Uwsgi",
    "ajp": "prefork.protocols.ajp:Ajp",
}

# What anybody may speak to us; the others believe whoever connects.
FOR_STRANGERS = {"http"}


def speak(protocol: str, terms: Terms) -> Language:
    """The protocol of that name, for one listener."""
    module, _, name = PROTOCOLS[protocol].partition(":")
    language: Language = getattr(import_module(module), name)(terms)
    return language
