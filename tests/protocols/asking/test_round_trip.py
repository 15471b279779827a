"""What is asked arrives, and what is answered comes back: with our own server side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.feeding import SIZES, cut, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import WORDINGS, word
from prefork.protocols.request import Headers, Request
from prefork.protocols.watching.events import (
    Answered,
    Asked,
    Broken,
    Complaint,
    Data,
    End,
    Event,
    Side,
    Wanted,
)
from prefork.protocols.watching.table import watch

every_protocol = pytest.mark.parametrize("protocol", WORDINGS)
DATE = "Sun, 22 Nov 2026 10:00:00 GMT"
QUESTION = Question(
    method="POST",
    target="/app/a%20b/%C3%A9?q=1&r=%2F",
    host="example.com:8080",
    headers=[("X-One", "1"), ("Content-Type", "text/plain"), ("Cookie", "a=b")],
    body=b"hello",
)


class Talk:
    """A question put to a server of ours, all of it in memory."""

    def __init__(self, protocol: str, question: Question, *, size: int = 1 << 20):
        self._size = size
        self._conversation = open_conversation(protocol)
        self._wording = word(protocol, question)
        self._witness = watch(protocol)
        self._request: Request | None = None
        self.body = b""
        self.told: dict[Side, list[Event]] = {side: [] for side in Side}
        self._send(next(self._wording))

    @property
    def variables(self) -> dict[str, str]:
        assert self._request is not None
        return self._request.variables

    @property
    def is_whole(self) -> bool:
        assert self._request is not None
        return self._request.body is None or self._request.body.done

    def _send(self, data: bytes) -> None:
        for piece in cut(data, self._size):
            self.told[Side.CLIENT] += self._witness.hear(Side.CLIENT, piece)
            self._take(piece)
            if replies := self._conversation.replies:
                self._conversation.replies = b""
                self._hear(replies)

    def _take(self, piece: bytes) -> None:
        if self._request is None:
            self._request = self._conversation.feed(piece)
            piece = self._request.rest if self._request else b""
        if self._request is not None and self._request.body is not None:
            self.body += self._request.body.feed(piece)

    def _hear(self, data: bytes) -> None:
        for piece in cut(data, self._size):
            events = self._witness.hear(Side.SERVER, piece)
            self.told[Side.SERVER] += events
            for event in events:
                if isinstance(event, Wanted):
                    self._send(self._wording.send(event.count))

    def answer(self, status: str, headers: Headers, *chunks: bytes) -> None:
        assert self._request is not None
        answer = self._conversation.answer(self._request, date=DATE, keep_alive=False)
        first, *others = chunks or [b""]
        self._hear(answer.start(status, headers, first, complete=len(chunks) < 2))
        for chunk in others:
            self._hear(answer.chunk(chunk))
        if others:
            self._hear(answer.end())
        self.told[Side.SERVER] += self._witness.hear(Side.SERVER, b"")

    def of(self, kind: type) -> list[Event]:
        """What was told of the answer, of one kind."""
        return [event for event in self.told[Side.SERVER] if isinstance(event, kind)]

    @property
    def answered_body(self) -> bytes:
        return b"".join(event.payload for event in self.of(Data))


@every_protocol
@pytest.mark.parametrize("size", SIZES)
def test_a_request_arrives(protocol: str, size: int) -> None:
    talk = Talk(protocol, QUESTION, size=size)
    got = talk.variables
    assert got["REQUEST_METHOD"] == "POST"
    assert got["REQUEST_URI"] == "/app/a%20b/%C3%A9?q=1&r=%2F"
    assert got["SCRIPT_NAME"] + got["PATH_INFO"] == "/app/a b/\xc3\xa9"
    assert got["QUERY_STRING"] == "q=1&r=%2F"
    assert got["HTTP_HOST"] == "example.com:8080"
    assert got["HTTP_X_ONE"] == "1"
    assert got["HTTP_COOKIE"] == "a=b"
    assert got["CONTENT_TYPE"] == "text/plain"
    assert got["CONTENT_LENGTH"] == "5"
    assert (talk.body, talk.is_whole) == (b"hello", True)


@every_protocol
def test_the_one_who_looks_on_sees_the_same_request(protocol: str) -> None:
    told = Talk(protocol, QUESTION).told[Side.CLIENT]
    (asked,) = (event for event in told if isinstance(event, Asked))
    assert asked.line == f"POST {QUESTION.target} HTTP/1.1"
    assert {"X-One", "HTTP_X_ONE"} & {name for name, _ in asked.pairs}
    assert b"".join(e.payload for e in told if isinstance(e, Data)) == b"hello"
    assert not [event for event in told if isinstance(event, Broken)]


@every_protocol
@pytest.mark.parametrize("size", [0, 1, 8185, 8186, 8187, 65535, 65536, 300_000])
def test_a_body_of_any_size_arrives(protocol: str, size: int) -> None:
    body = bytes(range(251)) * (size // 251 + 1)
    talk = Talk(protocol, Question(method="PUT", body=body[:size]))
    assert talk.body == body[:size]
    assert talk.is_whole


@every_protocol
@pytest.mark.parametrize("size", SIZES)
def test_an_answer_comes_back(protocol: str, size: int) -> None:
    talk = Talk(protocol, Question(), size=size)
    talk.answer("201 Made", [("X-Two", "2")], b"some ", b"chunks")
    (answered,) = talk.of(Answered)
    assert isinstance(answered, Answered)
    assert (answered.status, answered.reason) == (201, "Made")
    assert ("X-Two", "2") in answered.pairs
    assert talk.answered_body == b"some chunks"
    assert talk.of(End) == [End(1)]
    assert not talk.of(Broken)


@every_protocol
@pytest.mark.parametrize("size", [0, 1, 8184, 8185, 65535, 65536, 300_000])
def test_an_answer_of_any_size_comes_back(protocol: str, size: int) -> None:
    talk = Talk(protocol, Question())
    talk.answer("200 OK", [], b"x" * size)
    assert len(talk.answered_body) == size
    assert talk.of(End) == [End(1)]


@every_protocol
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", "200 OK"), ("GET", "304 Same")]
)
def test_an_answer_without_a_body_is_whole(
    protocol: str, method: str, status: str
) -> None:
    talk = Talk(protocol, Question(method=method))
    talk.answer(status, [("Content-Length", "10")], b"not there!")
    assert talk.answered_body == b""
    assert talk.of(End) == [End(1)]


@every_protocol
def test_an_answer_shorter_than_its_length_is_none(protocol: str) -> None:
    talk = Talk(protocol, Question())
    talk.answer("200 OK", [("Content-Length", "10")], b"four")
    told = talk.of(End) + talk.of(Broken)
    assert told and told != [End(1)]


@every_protocol
def test_a_refusal_comes_back(protocol: str) -> None:
    witness = watch(protocol)
    witness.hear(Side.CLIENT, next(word(protocol, Question())))
    conversation = open_conversation(protocol)
    conversation.feed(next(word(protocol, Question())))
    refusal = conversation.refuse(ProtocolError("no", status=413), date=DATE)
    events = witness.hear(Side.SERVER, refusal) + witness.hear(Side.SERVER, b"")
    assert [e.status for e in events if isinstance(e, Answered)] == [413]
    assert [e for e in events if isinstance(e, End)] == [End(1)]


def test_what_goes_to_the_error_log_is_told_apart() -> None:
    talk = Talk("fastcgi", Question())
    assert talk._request is not None
    answer = talk._conversation.answer(talk._request, date=DATE, keep_alive=False)
    answer.complain(b"oh\n")
    talk._hear(answer.start("200 OK", [], b"fine", complete=True))
    assert talk.of(Complaint) == [Complaint(1, b"oh\n")]
    assert talk.answered_body == b"fine"


NAMES = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1, max_size=200)
VALUES = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=300)


@pytest.mark.parametrize("protocol", ["fastcgi", "scgi", "uwsgi"])
@given(variables=st.dictionaries(NAMES.map("X_{}".format), VALUES, max_size=20))
def test_any_variables_arrive(protocol: str, variables: dict[str, str]) -> None:
    got = Talk(protocol, Question(variables=variables)).variables
    assert variables.items() <= got.items()
