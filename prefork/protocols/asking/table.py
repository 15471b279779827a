"""The protocols that can be asked in, and where each of them is.

To add one, add a line.
"""

from importlib import import_module

from prefork.protocols.asking.plain import Wording
from prefork.protocols.asking.question import Question

WORDINGS = {
    "http": "prefork.protocols.asking.plain:ask_http",
    "fastcgi": "prefork.protocols.asking.plain:ask_fastcgi",
    "scgi": "prefork.protocols.asking.plain:ask_scgi",
    "uwsgi": "prefork.protocols.asking.plain:ask_uwsgi",
    "ajp": "prefork.protocols.asking.ajp:ask_ajp",
}


def word(protocol: str, question: Question) -> Wording:
    """The question in the words of that protocol."""
    module, _, name = WORDINGS[protocol].partition(":")
    wording: Wording = getattr(import_module(module), name)(question)
    return wording
