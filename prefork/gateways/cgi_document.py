"""What a CGI program writes, on its way to its client: head, then document.

A program whose name begins with `nph-` writes a response of HTTP, and over HTTP that
is the response.  RFC 3875 5.2: "The server MUST ensure that the script output is sent
to the client unmodified."  Where a web server makes it, it is read as any other.
"""

from prefork.errors import ProtocolError
from prefork.gateways.cgi_head import HEADS, LONGEST_HEAD, Head, find_end
from prefork.protocols.http_body import ChunkedBody
from prefork.protocols.request import Reply


class Document:
    """Gathers output until it can be sent.  ValueError: it is no answer."""

    def __init__(self, reply: Reply, *, is_nph: bool) -> None:
        self._reply = reply
        self._is_nph = is_nph
        self._output = b""  # not sent yet
        self._head: Head | None = None
        self._text = b""  # of the head, as it was
        self._chunks: ChunkedBody | None = None  # to be removed
        self._is_sent = False  # all of it
        self.redirect = ""  # the path of a local one

    @property
    def size(self) -> int:
        """Bytes that wait to be sent."""
        return len(self._output)

    def add(self, data: bytes) -> None:
        self._output += data

    def is_ready(self, *, is_complete: bool) -> bool:
        """Is there something to send?"""
        if self._head is None and not self._read_head():
            return False
        if not self._reply.started and self._is_redirect(is_complete=is_complete):
            return False
        return bool(self._output) or is_complete

    def send(self, *, is_complete: bool) -> None:
        """Send what there is; `is_complete`: no more will come."""
        data, self._output = self._output, b""
        if not self._reply.started:
            self._start(data, is_complete=is_complete)
        else:
            self._write(self._decode(data, is_complete=is_complete))

    def finish(self) -> None:
        """Say that the document is whole, if that is not said already."""
        if self._head is None:
            what = "a head without an end" if self._output else "no output"
            raise ValueError(what)
        if self._reply.started and not self._is_sent:
            self._reply.end()

    def _read_head(self) -> bool:
        span = find_end(self._output)
        if span is None:
            if len(self._output) > LONGEST_HEAD:
                raise ValueError("a head without an end")
            return False
        head = HEADS[self._output[: span[0]]]
        if self._is_nph and not head.is_http:
            raise ValueError("an nph- program that begins with no status line of HTTP")
        self._head = head
        self._text, self._output = self._output[: span[1]], self._output[span[1] :]
        return True

    def _is_redirect(self, *, is_complete: bool) -> bool:
        """Is it a local redirect, so far?  It is none if a document follows."""
        assert self._head is not None
        if not self._head.redirect or self._output:
            return False
        if is_complete:
            self.redirect = self._head.redirect
        return True

    def _start(self, data: bytes, *, is_complete: bool) -> None:
        head = self._head
        assert head is not None
        if self._is_nph and self._reply.pass_on(
            head.status, head.headers, self._text + data
        ):
            return
        if head.is_chunked:
            self._chunks = self._chunks or ChunkedBody()
        data = self._decode(data, is_complete=is_complete)
        if not data and not is_complete:
            return  # the beginning of a chunk
        self._is_sent = is_complete
        self._reply.send(head.status, head.headers, data, complete=is_complete)

    def _write(self, data: bytes) -> None:
        if data:
            self._reply.write(data)

    def _decode(self, data: bytes, *, is_complete: bool) -> bytes:
        """Remove chunks: where we frame the document, theirs would be a part of it."""
        if self._chunks is None:
            return data
        try:
            data = self._chunks.feed(data) if data else b""
        except ProtocolError as error:
            raise ValueError(f"said to be in chunks: {error.reason}") from error
        if is_complete and not self._chunks.done:
            raise ValueError("said to be in chunks, and there is no last one")
        return data
