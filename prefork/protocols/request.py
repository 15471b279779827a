"""The words that all protocols speak: Language, Conversation, Request, Answer.

    bytes ─► Conversation.feed ─► Request(variables, body) ─► gateway
    gateway ─► Answer.start / chunk / end ─► bytes

A protocol is sans-I/O: nothing here, or in any protocol, has seen a socket or a
clock.  One Language serves a listener, one Conversation a connection of it, one
Answer a request on that.
"""

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from prefork.errors import ProtocolError

Headers = Sequence[tuple[str, str]]


class Body(Protocol):
    """What decodes the bytes of one request body off the wire."""

    done: bool  # the end has been seen
    may_be_left: bool  # unread: what is still to come of it is told from the next one

    @property
    def rest(self) -> bytes:
        """What the conversation is to be fed after this: the beginning of the next
        request.  If the body was left, what it was in the middle of stands before."""

    def feed(self, data: bytes) -> bytes:
        """Take wire bytes, return the payload in them.

        Raises ProtocolError, and RequestAborted: `rest` is then what follows.
        """


class Request:
    """One request: RFC 3875 meta-variables, and the decoder of its body.

    Not a frozen dataclass: one is made for each request, and a frozen one costs
    three times as much (0.9 instead of 0.3 µs).
    """

    __slots__ = ("variables", "body", "rest", "keep_alive", "invitation", "may_go_on")

    def __init__(
        self,
        variables: dict[str, str],
        *,
        body: Body | None,
        rest: bytes,
        keep_alive: bool,
        invitation: bytes = b"",
        may_go_on: bool = False,
    ) -> None:
        self.variables = variables  # latin-1 text, as PEP 3333 wants it
        self.body = body  # None: there is no body
        self.rest = rest  # received after the head, not yet looked at
        self.keep_alive = keep_alive  # the client wants the connection kept
        # What the client waits for before it sends its body: "100 Continue"
        self.invitation = invitation
        self.may_go_on = may_go_on  # more of it may come, which nobody waits for


class Answer(Protocol):
    """The sending side of one request: status, headers and chunks to bytes."""

    keep_alive: bool  # may the connection carry another request afterwards?
    problem: str  # what the application did wrong, for the log; "" if nothing
    sent: int  # bytes of the body so far, without framing

    @property
    def abortion(self) -> bytes:
        """What follows a request that the front end has aborted; b"": the protocol
        has no word for that."""

    @property
    def ends_by_closing(self) -> bool:
        """Once started: does nothing but the end of the connection end the body?"""

    @property
    def lull(self) -> float:
        """Seconds without more of the request's body after which an answer may begin;
        infinite: not while more of it is awaited.  See lull.py."""

    def start(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> bytes:
        """The head and the first chunk.  `complete`: no other chunk follows.

        Raises ValueError if the status or a header cannot be sent; nothing has
        been, then.
        """

    def start_file(
        self, status: str, headers: Headers, size: int
    ) -> tuple[bytes, int] | None:
        """The head of an answer whose body is `size` bytes of a file, and how many
        of them to send as they are: fewer if Content-Length says so, 0 for HEAD.
        None: this protocol frames its bytes, so send the file in chunks.
        """

    def pass_on(self, status: str, response: bytes) -> bytes | None:
        """Begin with a response that is one of HTTP already, in place of start(): its
        head, and more; chunks follow as they are.  None: this protocol has its own.
        """

    def chunk(self, data: bytes) -> bytes:
        """One more chunk, framed; b"" when there is nothing to send."""

    def end(self) -> bytes:
        """What closes the answer; b"" when nothing does."""

    def abandon(self) -> bytes:
        """What closes an answer, even one not begun, that nobody wants any more."""

    def complain(self, text: bytes) -> None:
        """Something for the front end's error log, if there is a way.

        Possible at any time, even before the start; it leaves with what is sent
        next, and not at all after the end.
        """

    def fail(self, text: bytes, *, status: int = 1) -> None:
        """The application has failed: some front ends may want to know.

        Like complain(), with `text` for the error log; `status`: as it would exit.
        """


class Conversation(Protocol):
    """One connection: requests in, and how each of them is answered."""

    remote: dict[str, str]  # REMOTE_ADDR and its like
    is_front_end: bool  # it is a web server's, which keeps connections for later
    is_idle: bool  # not one byte of a request has arrived
    has_leftover: bool  # but a part of something that belongs to none has
    is_over: bool  # once `replies` are sent: nothing follows
    replies: bytes  # to be sent at once, whoever sends them empties it
    # A conversation that only finds out which one follows (a prelude) says so
    # here, with the bytes that are that one's.
    successor: "tuple[Conversation, bytes] | None"

    @property
    def request_line(self) -> str:
        """The request line of a head that is not complete, or was refused.

        As it came, in latin-1, and so to be escaped wherever it is shown.
        """

    def feed(self, data: bytes) -> Request | None:
        """Take received bytes; return a request once its head is complete.

        After a request the caller decodes its body (`request.body.feed`), then
        feeds what followed it (`body.rest`, or `request.rest` without a body).
        Raises ProtocolError; the connection is then of no more use.
        """

    def answer(self, request: Request, *, date: str, keep_alive: bool) -> Answer:
        """Answer a request; `keep_alive`: what the server allows.

        `date` is the value of a Date field (RFC 9110 5.6.7).
        """

    def refuse(self, error: ProtocolError, *, date: str) -> bytes:
        """The whole answer to a request that was refused; then close."""


class Language(Protocol):
    """The protocol of a listener; its connections share it."""

    def converse(self, remote: dict[str, str]) -> Conversation:
        """Begin with a connection; `remote`: the variables that it alone has.

        Raises ProtocolError for a peer that is not to be heard.
        """


class Reply(Protocol):
    """What a gateway answers through; the worker's side of one request."""

    started: bool  # the head has left: it is too late for another answer

    def send(
        self, status: str, headers: Headers, chunk: bytes, *, complete: bool
    ) -> None:
        """Send the head and the first chunk.  `complete`: no other follows.

        Raises ValueError for a head that cannot be sent (nothing has been), and
        ClientGone when the client is.
        """

    def send_file(self, status: str, headers: Headers, file: BinaryIO) -> bool:
        """Send head and file, from its position on; False: send it in chunks.

        After True the file is the reply's, which closes it when it is through.
        """

    def pass_on(self, status: str, headers: Headers, response: bytes) -> bool:
        """Send what is a response of HTTP already, from its status line on, as it is;
        what is written follows.  False: send() it.  `status` and `headers` are for
        the log alone.
        """

    def write(self, chunk: bytes) -> None:
        """Send one more chunk."""

    def end(self) -> None:
        """Finish the answer after its chunks."""

    def complain(self, text: bytes) -> None:
        """Tell the front end's error log, if the protocol has a way."""

    def fail(self, text: bytes, *, status: int = 1) -> None:
        """The application has failed: what is sent from now on is not its own.

        `text` says so in the front end's error log, and `status` at the end, as of a
        program that exits, if the protocol has a way.
        """

    def watch(self) -> tuple[int, int]:
        """The connection's descriptor, and the poll(2) events by which, beside
        POLLHUP and POLLERR, a client is known to be gone; and POLLOUT while something
        that was written waits for it."""

    def hear(self, events: int) -> None:
        """Act upon what poll(2) has told of the connection: send what waits.

        ClientGone; what was only said ahead of its time is not watched for again.
        """

    @property
    def lull(self) -> float:
        """See Answer."""

    @property
    def is_full(self) -> bool:
        """Does so much wait for the client that nothing more should be written?"""

    @property
    def patience(self) -> float:
        """Seconds that it has then to take some of that."""

    def abort(self) -> None:
        """Give up in the middle: the client must not take this for a whole answer."""
