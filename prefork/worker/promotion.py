"""Promotion: a worker that has served well is to become a template.

It is told so while it serves, over its channel; says at once whether it could;
and goes on serving until it has been replaced.  What it becomes is none of its
business: the channel leads to the master that awaits a template.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from prefork.errors import EXIT_APPLICATION
from prefork.system.channel import TEXT_LIMIT, Channel, Message, adopt

FindHazards = Callable[[Collection[int]], list[str]]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What the master asks of the worker, and where it awaits the template."""

    channel: Channel
    generation: int  # of the workers that the template is to fork

    @classmethod
    def read(cls, message: Message) -> "Promotion":
        return cls(adopt(message.descriptors[0]), message.fields["generation"])

    def decline(self, hazards: Collection[str]) -> None:
        """What this process has would not survive a fork: say what, and serve on."""
        text = f"the worker has {', '.join(hazards)}"[-TEXT_LIMIT:]
        self.channel.send("failed", text=text, status=EXIT_APPLICATION, sources=[])
        self.channel.close()
