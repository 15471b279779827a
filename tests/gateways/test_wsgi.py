"""The WSGI gateway, with a reply that only remembers (PEP 3333)."""

import io
import sys
from asyncio import CancelledError  # a BaseException
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from serving.reply import Recorder

from prefork.errors import ClientGone
from prefork.gateways.wsgi import MOST_JOINED, Application, FileWrapper, Wsgi
from prefork.protocols.request import Request

PLAIN = [("Content-Type", "text/plain")]


class Chunks:
    """An application's iterable that knows whether it was closed."""

    def __init__(self, *chunks: bytes, then: BaseException | None = None) -> None:
        self._chunks = iter(chunks)
        self._then = then
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        yield from self._chunks
        if self._then:
            raise self._then

    def close(self) -> None:
        self.closed += 1


class Served:
    """What became of one request: the reply, and what was said in the log."""

    def __init__(
        self, application: Application, reply: Recorder | None, body: bytes, **more: str
    ) -> None:
        variables = {"REQUEST_METHOD": "GET", "PATH_INFO": "/there", **more}
        self.variables = variables
        self.reply = reply or Recorder()
        self.complaints: list[dict[str, str]] = []
        request = Request(variables, body=None, rest=b"", keep_alive=True)

        def remember(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            self.environ = environ
            return application(environ, start_response)

        gateway = Wsgi(remember, complain=self._complain)
        gateway(request, io.BytesIO(body), self.reply)

    def _complain(self, event: str, **fields: str) -> None:
        self.complaints.append({"event": event, **fields})

    @property
    def reason(self) -> str:
        """The last line of the traceback that was logged."""
        (complaint,) = self.complaints
        return complaint["text"].strip().splitlines()[-1]


def serve(
    application: Application,
    reply: Recorder | None = None,
    body: bytes = b"",
    **more: str,
) -> Served:
    return Served(application, reply, body, **more)


def answering(
    answer: object, status: str = "200 OK", headers: Any = None
) -> Application:
    """An application that starts a response and returns `answer`."""

    def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        start_response(status, PLAIN if headers is None else headers)
        return answer

    return application


# ---- the ordinary ways to answer


def test_an_answer_of_one_chunk_is_sent_in_one_piece() -> None:
    served = serve(answering([b"hello"], "201 Created"))
    assert (served.reply.status, served.reply.headers) == ("201 Created", PLAIN)
    assert (served.reply.chunks, served.reply.ended) == ([b"hello"], "complete")
    assert not served.complaints


@pytest.mark.parametrize(
    "answer", [[], (), [b""], iter(()), Chunks(), Chunks(b"", b"")]
)
def test_an_answer_without_a_body_is_complete_at_once(answer: object) -> None:
    reply = serve(answering(answer, "204 No Content")).reply
    assert (reply.status, reply.body, reply.ended) == (
        "204 No Content",
        b"",
        "complete",
    )


@pytest.mark.parametrize("kind", [list, tuple])
def test_chunks_that_are_all_there_are_an_answer_of_a_known_length(
    kind: Callable[[list[bytes]], Iterable[bytes]],
) -> None:
    """Half of one that ends with its connection would look whole."""
    reply = serve(answering(kind([b"a", b"", b"bc"]))).reply
    assert (reply.chunks, reply.ended) == ([b"abc"], "complete")


def test_large_ones_are_not_copied() -> None:
    reply = serve(answering([bytes(MOST_JOINED), b"x"])).reply
    assert ([len(chunk) for chunk in reply.chunks]) == [MOST_JOINED, 1]


def test_a_chunk_that_is_none_is_found_before_the_others_leave() -> None:
    served = serve(answering([b"a", "b"]))
    assert served.reply.status == "500 Internal Server Error"


@pytest.mark.parametrize("kind", [iter, lambda chunks: Chunks(*chunks)])
def test_chunks_leave_one_by_one_and_in_order(
    kind: Callable[[list[bytes]], Iterable[bytes]],
) -> None:
    reply = serve(answering(kind([b"a", b"b", b"c"]))).reply
    assert (reply.chunks, reply.ended) == ([b"a", b"b", b"c"], "end")


def test_each_chunk_has_left_before_the_next_is_asked_for() -> None:
    reply = Recorder()
    seen = []

    def chunks() -> Iterator[bytes]:
        for chunk in (b"a", b"b"):
            seen.append(reply.body)
            yield chunk
        seen.append(reply.body)

    serve(answering(chunks()), reply)
    assert seen == [b"", b"a", b"ab"]


def test_the_head_waits_for_the_first_chunk_that_is_not_empty() -> None:
    """PEP 3333: the headers must not be sent before there is body data."""
    reply = Recorder()

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b""
        assert not reply.started
        start_response("202 Accepted", PLAIN, (KeyError, KeyError(), None))
        yield b"x"

    serve(application, reply)
    assert (reply.status, reply.chunks) == ("202 Accepted", [b"x"])


def test_a_generator_may_start_the_response_when_it_is_first_asked() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"late"

    assert serve(application).reply.body == b"late"


# ---- write()


def test_what_is_written_precedes_what_is_returned() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"")
        write(b"one ")
        write(b"two ")
        return [b"three"]

    reply = serve(application).reply
    assert (reply.chunks, reply.ended) == ([b"one ", b"two ", b"three"], "end")


def test_an_answer_that_was_all_written_ends() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)(b"all of it")
        return []

    reply = serve(application).reply
    assert (reply.body, reply.ended) == (b"all of it", "end")


@pytest.mark.parametrize("chunk", ["text", "", bytearray(b"x"), memoryview(b"x")])
def test_only_bytes_can_be_written(chunk: Any) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)(chunk)
        return []

    served = serve(application)
    assert served.reply.status == "500 Internal Server Error"
    assert served.reason.startswith("TypeError: ")


# ---- start_response


def fail() -> None:
    raise LookupError("on purpose")


def test_an_error_page_replaces_a_head_that_has_not_been_sent() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        try:
            fail()
        except LookupError:
            start_response("503 Sorry", [], sys.exc_info())
        return [b"sorry"]

    served = serve(application)
    assert (served.reply.status, served.reply.headers) == ("503 Sorry", [])
    assert served.reply.body == b"sorry"
    assert not served.complaints


def test_an_error_after_the_head_cuts_the_answer() -> None:
    """PEP 3333: with exc_info, and headers sent, start_response must raise it."""

    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", PLAIN)
        yield b"so far"
        try:
            fail()
        except LookupError:
            start_response("500 Sorry", [], sys.exc_info())
        yield b"never"

    served = serve(application)
    assert (served.reply.body, served.reply.ended) == (b"so far", "abort")
    assert served.reason == "LookupError: on purpose"
    assert "in fail" in served.complaints[0]["text"]  # its own traceback, whole


def test_start_response_is_called_twice_only_with_an_error() -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", PLAIN)
        start_response("200 OK", PLAIN)
        return [b"x"]

    served = serve(application)
    assert served.reply.status == "500 Internal Server Error"
    assert "a second time without exc_info" in served.reason


@pytest.mark.parametrize(
    ("status", "headers"),
    [(200, PLAIN), (b"200 OK", PLAIN), ("200 OK", tuple(PLAIN)), ("200 OK", {})],
)
def test_start_response_wants_a_str_and_a_list(status: Any, headers: Any) -> None:
    served = serve(answering([b"x"], status, headers))
    assert served.reply.status == "500 Internal Server Error"
    assert served.reason.startswith("TypeError: start_response wants")


@pytest.mark.parametrize("answer", [[b"x"], [], [b"x", b"y"], iter([b"x"])])
def test_an_answer_needs_a_head(answer: Any) -> None:
    served = serve(lambda environ, start_response: answer)
    assert served.reply.status == "500 Internal Server Error"
    assert "before start_response" in served.reason


# ---- errors


@pytest.mark.parametrize(
    "answer",
    ["text", ["text"], [bytearray(b"x")], [None], [b"", 1], iter(["text"]), None, 7],
)
def test_an_answer_of_something_else_than_bytes_is_an_error(answer: object) -> None:
    served = serve(answering(answer))
    assert served.reply.status == "500 Internal Server Error"
    assert served.reason.startswith("TypeError: ")


def test_a_chunk_that_is_not_bytes_cuts_an_answer_that_has_begun() -> None:
    served = serve(answering(iter([b"good", "bad"])))
    assert (served.reply.body, served.reply.ended) == (b"good", "abort")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("ouch"),
        OSError(5, "x"),
        SystemExit(3),
        KeyboardInterrupt(),
        GeneratorExit(),
        CancelledError(),
    ],
)
def test_an_error_before_the_head_is_a_500_that_tells_nothing(
    error: BaseException,
) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise error

    served = serve(application, REQUEST_METHOD="PUT")
    assert served.reply.status == "500 Internal Server Error"
    assert served.reply.body == b"500 Internal Server Error\n"
    assert served.reply.ended == "complete"
    (complaint,) = served.complaints
    assert complaint["event"] == "application failed"
    assert complaint["method"] == "PUT"
    assert complaint["path"] == "/there"
    assert complaint["answer"] == "500"
    assert complaint["text"].startswith("Traceback (most recent call last)")
    assert type(error).__name__ in served.reason


@pytest.mark.parametrize(
    "error", [RuntimeError("ouch"), SystemExit(3), CancelledError()]
)
def test_an_error_between_chunks_cuts_the_answer(error: BaseException) -> None:
    served = serve(answering(Chunks(b"so far", then=error)))
    assert (served.reply.body, served.reply.ended) == (b"so far", "abort")
    assert served.complaints[0]["answer"] == "cut"


def test_an_error_before_the_first_chunk_is_still_a_500() -> None:
    reply = serve(answering(Chunks(b"", then=RuntimeError("ouch")))).reply
    assert (reply.status, reply.ended) == ("500 Internal Server Error", "complete")


def test_a_head_that_cannot_be_sent_is_a_500() -> None:
    served = serve(answering([b"x"], headers=[("X-Evil", "a\r\nSet-Cookie: b")]))
    assert served.reply.status == "500 Internal Server Error"
    assert served.reason == "ValueError: control character in a header"


# ---- the client leaves


def test_it_is_no_error_of_the_application_when_the_client_leaves() -> None:
    chunks = Chunks(b"a", b"b", b"c")
    reply = Recorder(leaves_at=1)
    with pytest.raises(ClientGone):
        serve(answering(chunks), reply)
    assert reply.body == b"a"
    assert chunks.closed == 1


def test_the_application_sees_the_client_leave_in_write() -> None:
    seen = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        write = start_response("200 OK", PLAIN)
        write(b"a")
        try:
            write(b"b")
        except ConnectionError as error:
            seen.append(error)
            raise
        return []

    with pytest.raises(ClientGone):
        serve(application, Recorder(leaves_at=1))
    assert len(seen) == 1


# ---- close()


@pytest.mark.parametrize(
    ("chunks", "error"),
    [
        ([b"a"], None),
        ([], None),
        ([b"a"], RuntimeError("late")),
        ([], RuntimeError("early")),
        ([], SystemExit(1)),
    ],
)
def test_close_is_called_however_the_request_ended(
    chunks: list[bytes], error: BaseException | None
) -> None:
    answer = Chunks(*chunks, then=error)
    serve(answering(answer))
    assert answer.closed == 1


def test_close_is_called_when_there_was_no_head() -> None:
    chunks = Chunks(b"a")
    serve(lambda environ, start_response: chunks)
    assert chunks.closed == 1


def test_the_answer_is_over_before_close() -> None:
    reply = Recorder()
    chunks = Chunks(b"a")
    chunks.close = lambda: seen.append(reply.ended)  # type: ignore[method-assign]
    seen: list[str] = []
    serve(answering(chunks), reply)
    assert seen == ["end"]


def test_an_error_in_close_is_logged_and_the_answer_stands() -> None:
    chunks = Chunks(b"a")
    chunks.close = lambda: fail()  # type: ignore[method-assign]
    served = serve(answering(chunks))
    assert (served.reply.status, served.reply.body) == ("200 OK", b"a")
    assert served.reason == "LookupError: on purpose"


# ---- wsgi.file_wrapper


class File(io.BytesIO):
    closings = 0

    def close(self) -> None:
        self.closings += 1
        super().close()


def sending(file: Any, *arguments: int) -> Application:
    """An application that answers with a wrapped file."""

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", PLAIN)
        return environ["wsgi.file_wrapper"](file, *arguments)

    return application


def test_a_file_is_handed_to_the_reply_which_closes_it() -> None:
    file = File(b"contents")
    reply = serve(sending(file)).reply
    assert (reply.file, reply.status) == (file, "200 OK")
    assert file.closings == 0


def test_a_file_that_the_reply_does_not_take_is_sent_in_blocks() -> None:
    file = File(b"contents")
    reply = serve(sending(file, 3), Recorder(takes_files=False)).reply
    assert (reply.chunks, reply.ended) == ([b"con", b"ten", b"ts"], "end")
    assert file.closings == 1


def test_an_empty_file_is_an_empty_answer() -> None:
    reply = serve(sending(File()), Recorder(takes_files=False)).reply
    assert (reply.body, reply.ended) == (b"", "complete")


def test_a_file_follows_what_was_written_before_it() -> None:
    file = File(b"contents")

    def application(environ: dict[str, Any], start_response: Any) -> Any:
        start_response("200 OK", PLAIN)(b"title ")
        return environ["wsgi.file_wrapper"](file)

    reply = serve(application).reply
    assert (reply.body, reply.file) == (b"title contents", None)
    assert file.closings == 1


def test_a_file_without_a_head_is_closed_and_an_error() -> None:
    file = File(b"contents")
    served = serve(lambda environ, start_response: FileWrapper(file))
    assert served.reply.status == "500 Internal Server Error"
    assert file.closings == 1


def test_a_file_is_closed_when_its_reader_leaves() -> None:
    file = File(b"contents")
    with pytest.raises(ClientGone):
        serve(sending(file, 3), Recorder(takes_files=False, leaves_at=1))
    assert file.closings == 1


def test_a_file_wrapper_wraps_whatever_can_be_read() -> None:
    blocks = iter([b"a", b"b", b""])

    class Readable:
        def read(self, size: int) -> bytes:
            return next(blocks)

    wrapper = FileWrapper(Readable())  # type: ignore[arg-type]
    assert not hasattr(wrapper, "close")
    assert list(wrapper) == [b"a", b"b"]


# ---- the environ


def test_the_environ_has_the_keys_of_the_specification() -> None:
    environ = serve(answering([]), body=b"the body").environ
    assert type(environ) is dict
    expected = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "wsgi.file_wrapper": FileWrapper,
    }
    assert {key: environ[key] for key in expected} == expected
    assert environ["wsgi.input"].read() == b"the body"  # type: ignore[attr-defined]


def test_the_scheme_is_what_a_trusted_proxy_said() -> None:
    assert serve(answering([]), HTTPS="on").environ["wsgi.url_scheme"] == "https"


def test_the_environ_is_the_applications_to_change() -> None:
    """PEP 3333: "The application is allowed to modify the dictionary in any way"."""

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        environ.clear()
        environ["REQUEST_METHOD"] = None
        start_response("200 OK", PLAIN)
        return []

    served = serve(application, REQUEST_METHOD="HEAD")
    assert served.variables == {"REQUEST_METHOD": "HEAD", "PATH_INFO": "/there"}


def test_what_an_application_leaves_in_its_environ_is_gone_with_the_request() -> None:
    seen = []

    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        seen.append("left" in environ)
        environ["left"] = environ["wsgi.version"] = "changed"
        start_response("200 OK", PLAIN)
        return []

    gateway = Wsgi(application, complain=lambda event, **fields: None)
    for _ in range(2):
        request = Request({"PATH_INFO": "/"}, body=None, rest=b"", keep_alive=True)
        gateway(request, io.BytesIO(), Recorder())
    assert seen == [False, False]


def test_what_failed_is_told_to_the_front_end_by_name_only() -> None:
    """What an error says may be what a client has sent."""

    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        raise ValueError("a\nforged line")

    assert serve(application).reply.failure == b"application failed: ValueError\n"


def test_errors_go_to_the_front_end_too_if_that_is_wanted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def application(environ: Any, start_response: Any) -> Iterable[bytes]:
        print("odd", file=environ["wsgi.errors"])
        start_response("200 OK", PLAIN)
        return [b""]

    for wanted in (False, True):
        reply = Recorder()
        gateway = Wsgi(application, complain=pytest.fail, tells_front_end=wanted)
        request = Request(
            {"REQUEST_METHOD": "GET"}, body=None, rest=b"", keep_alive=True
        )
        gateway(request, io.BytesIO(), reply)
        assert reply.complaints == ([b"odd\n"] if wanted else [])
        assert capsys.readouterr().err == "odd\n"
