"""Feeding a conversation, in pieces of any size, as a worker would."""

from collections.abc import Iterable
from dataclasses import dataclass

from prefork.protocols.request import Conversation
from prefork.protocols.table import speak
from prefork.protocols.terms import Limits, Terms

SIZES = (1, 2, 7, 1 << 20)  # of the pieces that everything is cut into
DEFAULTS = {
    "GATEWAY_INTERFACE": "CGI/1.1",
    "SCRIPT_NAME": "",
    "SERVER_NAME": "here",
    "SERVER_PORT": "80",
    "SERVER_SOFTWARE": "prefork",
}


@dataclass(slots=True)
class Heard:
    """One request as far as it came."""

    variables: dict[str, str]
    body: bytes = b""
    is_whole: bool = True


def open_conversation(
    protocol: str, *, limits: Limits | None = None, script_name: str = ""
) -> Conversation:
    terms = Terms(limits=limits or Limits(), defaults=DEFAULTS, script_name=script_name)
    return speak(protocol, terms).converse({"REMOTE_ADDR": "", "REMOTE_PORT": "7"})


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def hear(conversation: Conversation, pieces: Iterable[bytes]) -> list[Heard]:
    """The requests in some pieces, with their bodies; ProtocolError.

    One after another, as long as the conversation goes on; then what follows is
    dropped, as by a worker that closes.
    """
    heard: list[Heard] = []
    request = None
    for piece in pieces:
        while piece:
            if request is None:
                request = conversation.feed(piece)
                if request is None:
                    break
                heard.append(Heard(request.variables))
                piece = request.rest
            if request.body is not None:
                heard[-1].body += request.body.feed(piece)
                heard[-1].is_whole = request.body.done
                if not request.body.done:
                    break
                piece = request.body.rest
            if not request.keep_alive:
                return heard
            request = None
    return heard
