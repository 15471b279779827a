"""A prelude: what is said on a connection before its first request.

It reads until it knows which conversation follows, names that as its successor, and
is forgotten.
"""

from prefork.protocols.request import Answer, Conversation, Request


class Prelude:
    """What all preludes have in common: there is nothing to answer yet."""

    replies = b""
    request_line = ""
    is_front_end = False
    has_leftover = False
    is_over = False

    def __init__(self, remote: dict[str, str]) -> None:
        self.remote = remote
        self.is_idle = True
        self.successor: tuple[Conversation, bytes] | None = None

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> Answer:
        raise AssertionError("a prelude has no request")
