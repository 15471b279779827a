"""A connection of AJP13: requests, what comes between them, and the secret."""

import pytest
from serving import ajp
from serving.feeding import DEFAULTS, SIZES, Heard, cut, hear, open_conversation

from prefork.errors import ProtocolError
from prefork.protocols.ajp import Ajp, AjpConversation
from prefork.protocols.terms import Limits, Terms

ASKED = b"AB\0\3\6\x1f\xfa"  # GET_BODY_CHUNK, 8186


def with_secret(secret: str) -> AjpConversation:
    return Ajp(Terms(secret=secret, defaults=DEFAULTS)).converse({"REMOTE_ADDR": ""})


def paths(heard: list[Heard]) -> list[str]:
    return [each.variables["PATH_INFO"] for each in heard]


# ---- one request after another


@pytest.mark.parametrize("size", SIZES)
def test_a_connection_is_the_same_in_any_cutting(size: int) -> None:
    wire = b"".join(
        (
            ajp.CPING,
            ajp.forward("/one"),
            ajp.EMPTY,
            ajp.CPING,
            ajp.forward("/two", ("Content-Length", "9000"), method=ajp.POST),
            ajp.body(b"x" * 8186),
            ajp.body(b"x" * 814),
            ajp.forward("/three", ("Transfer-Encoding", "chunked"), method=ajp.POST),
            ajp.body(b"chunk"),
            ajp.body(b""),
            ajp.SHUTDOWN,
            ajp.forward("/four", ("Content-Length", "0")),
            ajp.EMPTY,
        )
    )
    conversation, replies = open_conversation("ajp"), []
    heard = hear(
        conversation, cut(wire, size), after=lambda c, _: replies.append(c.replies)
    )
    assert paths(heard) == ["/one", "/two", "/three", "/four"]
    assert [each.body for each in heard] == [b"", b"x" * 9000, b"chunk", b""]
    assert all(each.is_whole for each in heard)
    assert conversation.is_idle
    wishes = [b"AB\0\3\6\x03\x2e", *[ASKED] * 2]
    assert b"".join(replies) == b"".join([ajp.CPONG, ajp.CPONG, *wishes])


def test_a_body_that_is_asked_for_is_asked_for_at_once() -> None:
    conversation = open_conversation("ajp")
    chunked = ("Transfer-Encoding", "chunked")
    assert conversation.feed(ajp.forward("/", chunked, method=ajp.POST))
    assert conversation.replies == ASKED


@pytest.mark.parametrize("length", ["", "0"])
def test_a_request_may_have_no_body(length: str) -> None:
    fields = [("Content-Length", length)] if length else []
    request = open_conversation("ajp").feed(ajp.forward("/", *fields, method=ajp.POST))
    assert request is not None
    assert request.body is None


# ---- what is no request


def test_a_cping_is_answered() -> None:
    conversation = open_conversation("ajp")
    assert conversation.feed(ajp.CPING + ajp.CPING[:3]) is None
    assert conversation.replies == ajp.CPONG
    assert not conversation.is_idle
    assert conversation.feed(ajp.CPING[3:]) is None
    assert conversation.is_idle


@pytest.mark.parametrize("packet", [ajp.SHUTDOWN, ajp.PING, ajp.EMPTY])
def test_what_is_not_a_front_ends_to_want_is_ignored(packet: bytes) -> None:
    conversation = open_conversation("ajp")
    assert conversation.feed(packet) is None
    assert conversation.is_idle
    assert conversation.replies == b""
    assert conversation.feed(packet + ajp.forward("/")) is not None


def test_to_leave_without_a_word_is_no_error() -> None:
    conversation = open_conversation("ajp")
    assert conversation.feed(b"") is None
    assert conversation.is_idle


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("wire", "reason"),
    [
        (b"GET / HTTP/1.1\r\n", "not a packet of AJP13"),
        (b"\x12\x33", "not a packet of AJP13"),
        (b"AB\0\1\x0a", "not a packet of AJP13"),
        (ajp.packet(b"\x0b"), "unknown type of a packet"),
        (ajp.packet(b"\x00\x02ab"), "unknown type of a packet"),
        (ajp.packet(b"\x02"), "ends too early"),
    ],
)
def test_what_is_malformed_is_refused_with_a_reason(
    wire: bytes, reason: str, size: int
) -> None:
    with pytest.raises(ProtocolError, match=reason):
        hear(open_conversation("ajp"), cut(wire, size))


# ---- how long the body is


@pytest.mark.parametrize(
    ("fields", "reason", "status"),
    [
        ([("Content-Length", "x")], "malformed CONTENT_LENGTH", 400),
        ([("Content-Length", "+1")], "malformed CONTENT_LENGTH", 400),
        ([("Content-Length", "101")], "body too long", 413),
        ([("Transfer-Encoding", "gzip")], "Transfer-Encoding", 400),
        ([("Transfer-Encoding", "chunked, x")], "Transfer-Encoding", 400),
        (
            [("Transfer-Encoding", "chunked"), ("Content-Length", "5")],
            "Transfer-Encoding",
            400,
        ),
        (
            [("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")],
            "repeated",
            400,
        ),
    ],
)
def test_who_cannot_say_how_long_its_body_is_is_refused(
    fields: list[tuple[str, str]], reason: str, status: int
) -> None:
    conversation = open_conversation("ajp", limits=Limits(body=100))
    with pytest.raises(ProtocolError, match=reason) as error:
        conversation.feed(ajp.forward("/", *fields, method=ajp.POST))
    assert error.value.status == status


def test_the_coding_of_the_body_is_no_variable() -> None:
    """The front end has decoded it."""
    chunked = ("Transfer-Encoding", "Chunked")
    request = open_conversation("ajp").feed(ajp.forward("/", chunked))
    assert request is not None
    assert "HTTP_TRANSFER_ENCODING" not in request.variables
    assert "CONTENT_LENGTH" not in request.variables


# ---- the secret


def test_who_knows_the_secret_is_heard() -> None:
    """Flup 1.0.3 drops the connection of whoever says one."""
    attributes = ajp.PORT + ajp.coded(ajp.SECRET, "s3cr3t")
    assert with_secret("s3cr3t").feed(ajp.forward("/", attributes=attributes))
    assert with_secret("").feed(ajp.forward("/", attributes=attributes))


@pytest.mark.parametrize("said", [None, "", "s3cr3", "s3cr3t!", "S3CR3T", "caf\xe9"])
def test_who_does_not_is_refused(said: str | None) -> None:
    conversation = with_secret("s3cr3t")
    attributes = ajp.PORT + (b"" if said is None else ajp.coded(ajp.SECRET, said))
    with pytest.raises(ProtocolError, match="secret") as error:
        conversation.feed(ajp.forward("/admin", attributes=attributes))
    assert error.value.status == 403
    assert conversation.request_line == "GET /admin HTTP/1.1"


def test_a_secret_may_have_any_letters() -> None:
    attributes = ajp.coded(ajp.SECRET, "caf\xc3\xa9")
    assert with_secret("caf\xe9").feed(ajp.forward("/", attributes=attributes))
