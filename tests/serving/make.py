"""A make of web server: how to run it before prefork, and what it lacks."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

CONTRIB = Path(__file__).parents[2] / "contrib"
SBIN = f"{os.environ['PATH']}:/usr/sbin:/sbin"

# What makes may lack, and why.
ONE_REQUEST = "has one request a connection"
NO_END = "takes the end of a connection for that of the answer"
COMMA = "joins cookies with a comma"
NO_LENGTH = "wants a Content-Length: 411"


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """What web servers of one make have in common."""

    name: str
    program: str
    protocols: tuple[str, ...]
    suffix: str  # of the snippets, contrib/NAME/PROTOCOL.SUFFIX
    # The whole configuration: what is around a snippet, and what is to be replaced
    # in it, for a directory to write to, a place of prefork and a port to listen on.
    configure: Callable[[Path, str, str, int], str]
    command: Callable[[Path, Path], list[str]]  # (directory, its configuration)
    # What the snippets' comments say to change for an application at /app: patterns.
    below: Mapping[str, str]
    # What it does not do, whatever stands behind it: test: {protocols: reason}.
    lacks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # Those of them that are not tried: it would hang, or the moment decides.
    spared: tuple[str, ...] = ()

    @property
    def path(self) -> str | None:
        return shutil.which(self.program, path=SBIN)

    def snippet(self, protocol: str) -> Path:
        return CONTRIB / self.name / f"{protocol}.{self.suffix}"

    def lack(self, test: str, protocol: str, transport: str) -> str:
        """Why it cannot pass a test; "" if it should."""
        for words, reason in self.lacks.get(test, {}).items():
            if {protocol, f"{protocol}+{transport}"} & {*words.split()}:
                return reason
        return ""


def replace(text: str, words: str, others: str) -> str:
    """Replace words that must be there."""
    assert words in text, f"no {words!r} in\n{text}"
    return text.replace(words, others)
