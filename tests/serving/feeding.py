"""Feeding a conversation, in pieces of any size, as a worker would."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prefork.errors import RequestAborted
from prefork.protocols.request import Body, Conversation, Request
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
    is_whole: bool = False


def open_conversation(
    protocol: str, *, limits: Limits | None = None, script_name: str = ""
) -> Conversation:
    terms = Terms(limits=limits or Limits(), defaults=DEFAULTS, script_name=script_name)
    return speak(protocol, terms).converse({"REMOTE_ADDR": "", "REMOTE_PORT": "7"})


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


def hear(
    conversation: Conversation,
    pieces: Iterable[bytes],
    *,
    after: Callable[[Conversation, Request | None], object] = lambda *_: None,
    leaves: Callable[[], bool] = lambda: False,
) -> list[Heard]:
    """The requests in some pieces, with their bodies; ProtocolError.

    One after another, as long as the conversation goes on; then what follows is
    dropped, as by a worker that closes.  `after` is called whenever something was
    fed, with the conversation and the request that it is in; `leaves` tells whether
    the rest of a body is not wanted.
    """
    heard: list[Heard] = []
    request = None
    for piece in pieces:
        while piece:
            if request is None:
                request = conversation.feed(piece)
                after(conversation, request)
                send_replies(conversation)
                if conversation.successor is not None:
                    conversation, piece = conversation.successor
                    continue
                if request is None:
                    break
                heard.append(Heard(request.variables, is_whole=request.body is None))
                piece = request.rest
            if request.body is not None:
                is_over = read_some(request.body, piece, heard[-1])
                after(conversation, request)
                send_replies(conversation)
                if not is_over and not (request.body.may_be_left and leaves()):
                    break
                piece = request.body.rest
            if not request.keep_alive:
                return heard
            request = None
    return heard


def read_some(body: Body, piece: bytes, heard: Heard) -> bool:
    """Feed it; is it over?"""
    try:
        heard.body += body.feed(piece)
    except RequestAborted:
        return True
    heard.is_whole = body.done
    return body.done


def send_replies(conversation: Conversation) -> None:
    if conversation.replies:
        conversation.replies = b""
