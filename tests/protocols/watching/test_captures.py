"""What real web servers sent is told as they meant it, however it is cut."""

import pytest
from serving.captures import ASKED, Capture, captures_of
from serving.feeding import SIZES, cut

from prefork.protocols.watching.events import Asked, Broken, Data, Event, Side
from prefork.protocols.watching.table import watch

SERVERS = ("apache", "caddy", "haproxy", "lighttpd", "nginx")
NAMES = {"ajp13": "ajp"}
CAPTURES = [
    capture
    for capture in captures_of("fastcgi", "scgi", "uwsgi", "ajp13")
    if capture.name != "lighttpd-fastcgi-php-get"  # which is AJP, for all its name
]
# Whoever was listening left as soon as it had what CONTENT_LENGTH promised.
CUT = ("client-abort-midbody", "nginx-scgi-nobuf-body-slow")


def tell(capture: Capture, size: int, *, protocol: str = "") -> list[Event]:
    name = NAMES.get(capture.protocol, capture.protocol)
    witness = watch(protocol or name)
    return [
        event
        for piece in [*cut(capture.data, size), b""]
        for event in witness.hear(Side.CLIENT, piece)
    ]


def sum_up(events: list[Event]) -> tuple[list[Event], bytes]:
    heads: list[Event] = [e for e in events if isinstance(e, Asked | Broken)]
    return heads, b"".join(e.payload for e in events if isinstance(e, Data))


@pytest.mark.parametrize("capture", CAPTURES, ids=lambda capture: capture.name)
def test_is_told_in_any_cutting(capture: Capture) -> None:
    heads, body = sum_up(tell(capture, 1 << 20))
    for size in SIZES[:-1]:
        assert sum_up(tell(capture, size)) == (heads, body)
    assert len(heads) >= 1 or not capture.data
    assert not [head for head in heads if isinstance(head, Broken)]


@pytest.mark.parametrize(
    "capture",
    [each for each in CAPTURES if each.case and each.data and each.server in SERVERS],
    ids=lambda capture: capture.name,
)
def test_says_what_the_client_had_asked(capture: Capture) -> None:
    asked = ASKED[capture.case]
    (head, *_), body = sum_up(tell(capture, 1 << 20))
    assert isinstance(head, Asked)
    method, target, *_ = head.line.split(" ")
    assert method == asked.method
    assert target.startswith("/")
    assert asked.body.startswith(body)
    assert body == asked.body or capture.name.endswith(CUT)


@pytest.mark.parametrize(
    "capture",
    [
        each
        for each in CAPTURES
        if each.case in ("get", "post") and each.variant != "modifier"
    ],
    ids=lambda capture: capture.name,
)
def test_the_first_byte_tells_which_protocol_it_is(capture: Capture) -> None:
    assert sum_up(tell(capture, 7, protocol="auto")) == sum_up(tell(capture, 7))
