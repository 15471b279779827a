"""The WSGI gateway: calls a PEP 3333 application with one request."""

import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

from prefork.errors import ClientGone
from prefork.gateways.errors import SharedErrors
from prefork.protocols.request import Reply, Request

Headers = list[tuple[str, str]]
ExcInfo = tuple[type[BaseException], BaseException, Any]
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

MOST_JOINED = 1 << 20  # bytes of chunks that leave in one piece
PAGE_HEADERS = [("Content-Type", "text/plain; charset=utf-8")]


class FileWrapper:
    """`wsgi.file_wrapper`: an iterable of blocks, sent by sendfile(2) if it can be."""

    def __init__(self, file: BinaryIO, block_size: int = 65536) -> None:
        self.file = file
        self._block_size = block_size
        if hasattr(file, "close"):
            self.close = file.close

    def __iter__(self) -> "FileWrapper":
        return self

    def __next__(self) -> bytes:
        block = self.file.read(self._block_size)
        if not block:
            raise StopIteration
        return block


class Wsgi:
    """The gateway; one for the life of a worker.

    `complain(event, **fields)` writes an error to the server's log.  `more` are
    keys of the server's own for the environ.  `tells_front_end`: what goes to
    `wsgi.errors` is for the front end's log too, if the protocol has a way.
    """

    def __init__(
        self,
        application: Application,
        *,
        complain: Callable[..., None],
        more: Mapping[str, object] | None = None,
        tells_front_end: bool = False,
    ) -> None:
        self._application = application
        self._complain = complain
        self._tells_front_end = tells_front_end
        self._server_keys: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            # The input ends where the body ends: an application may read to the
            # end without CONTENT_LENGTH, as for a chunked body it must.
            "wsgi.input_terminated": True,
            **(more or {}),
        }

    def __call__(self, request: Request, body: BinaryIO, reply: Reply) -> None:
        """Answer one request; raises ClientGone when there is no one to answer."""
        # A copy (0.15 us), because it is the application's: one that turns a HEAD
        # into a GET, as many do, must not change what the client may be sent.
        environ: dict[str, Any] = request.variables | self._server_keys
        environ["wsgi.input"] = body
        environ["wsgi.url_scheme"] = "https" if "HTTPS" in environ else "http"
        if self._tells_front_end:
            environ["wsgi.errors"] = SharedErrors(sys.stderr, reply.complain)
        call = ApplicationCall(reply)
        try:
            chunks = self._application(environ, call.start_response)
            # The usual answers, and they have no close().
            if type(chunks) is list or type(chunks) is tuple:
                call.relay_list(chunks)
            else:
                self._relay_and_close(call, chunks)
        except ClientGone:  # not the application's failure
            raise
        # All others: a worker's signals come through a pipe, so whatever is raised
        # here, be it KeyboardInterrupt, is the application's and ends its request.
        except BaseException as error:
            self._fail(request, reply, error)

    def _relay_and_close(
        self, call: "ApplicationCall", chunks: Iterable[bytes]
    ) -> None:
        """PEP 3333: close() is called however the request ended."""
        closed_by_reply = False
        try:
            if type(chunks) is FileWrapper:
                closed_by_reply = call.relay_file(chunks)
            else:
                call.relay(chunks)
        finally:
            close = getattr(chunks, "close", None)
            if close is not None and not closed_by_reply:
                close()

    def _fail(self, request: Request, reply: Reply, error: BaseException) -> None:
        self._complain(
            "application failed",
            method=request.variables.get("REQUEST_METHOD", ""),
            path=request.variables.get("PATH_INFO", ""),
            answer="cut" if reply.started else "500",
            text=traceback.format_exc(),
        )
        # A name alone: what an error says may be what a client has sent.
        reply.fail(f"application failed: {type(error).__name__}\n".encode())
        if reply.started:
            reply.abort()
        else:
            status = "500 Internal Server Error"
            reply.send(status, PAGE_HEADERS, status.encode() + b"\n", complete=True)


class ApplicationCall:
    """One call of the application: start_response, write, and the chunks."""

    __slots__ = ("_headers", "_reply", "_status")

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._status = ""
        self._headers: Headers = []

    def start_response(
        self, status: str, headers: Headers, exc_info: ExcInfo | None = None
    ) -> Callable[[bytes], None]:
        """PEP 3333, "The start_response() Callable"."""
        if exc_info is not None:
            try:
                if self._reply.started:
                    raise exc_info[1].with_traceback(exc_info[2])
            finally:
                exc_info = None  # PEP 3333: "Avoid circular ref."
        elif self._status:
            raise AssertionError(
                "start_response was called a second time without exc_info"
            )
        if type(status) is not str or type(headers) is not list:
            raise TypeError("start_response wants a str and a list of tuples")
        self._status = status
        self._headers = headers
        return self.write

    def write(self, chunk: bytes) -> None:
        """PEP 3333, "The write() Callable": for applications of another age."""
        check_chunk(chunk)
        if not chunk:
            return
        if self._reply.started:
            self._reply.write(chunk)
        else:
            self._start(chunk, complete=False)

    def relay_list(self, chunks: Sequence[bytes]) -> None:
        """Send a list: nobody has to wait for more, and its length is the answer's."""
        if len(chunks) == 1 and not self._reply.started:
            check_chunk(chunks[0])
            self._start(chunks[0], complete=True)
        elif not self._reply.started and is_short(chunks):
            self._start(b"".join(chunks), complete=True)
        else:
            self.relay(chunks)

    def relay(self, chunks: Iterable[bytes]) -> None:
        """Send what the application returned, chunk by chunk as it comes."""
        for chunk in chunks:
            self.write(chunk)
        if self._reply.started:
            self._reply.end()
        else:
            self._start(b"", complete=True)

    def relay_file(self, wrapper: FileWrapper) -> bool:
        """Send a file; True if the reply will close it when it is through."""
        self._check_started()
        if not self._reply.started and self._reply.send_file(
            self._status, self._headers, wrapper.file
        ):
            return True
        self.relay(wrapper)
        return False

    def _start(self, chunk: bytes, *, complete: bool) -> None:
        if not self._status:
            self._check_started()
        self._reply.send(self._status, self._headers, chunk, complete=complete)

    def _check_started(self) -> None:
        if not self._status:
            raise AssertionError("the application answered before start_response")


def is_short(chunks: Sequence[bytes]) -> bool:
    for chunk in chunks:
        check_chunk(chunk)
    return sum(map(len, chunks)) <= MOST_JOINED


def check_chunk(chunk: object) -> None:
    """Raise TypeError for what is not bytes.

    Of a memoryview len() may be less than its bytes, which would break the framing.
    """
    if not isinstance(chunk, bytes):
        raise TypeError(f"the application answered with {type(chunk)}, not bytes")
