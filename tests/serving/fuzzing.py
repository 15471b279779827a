"""Bytes that are nearly requests, in odd pieces, and what must hold for them.

A round is made of its number alone, so that a failure can be repeated.
"""

import random
import time
from collections.abc import Iterator
from functools import cache
from typing import Any

from prefork.errors import ProtocolError
from prefork.protocols.asking.question import Question
from prefork.protocols.asking.table import WORDINGS, word
from prefork.protocols.forwarded import TrustedPeers
from prefork.protocols.proxy import Proxy
from prefork.protocols.request import Conversation, Request
from prefork.protocols.table import PROTOCOLS, speak
from prefork.protocols.terms import Limits, Terms
from serving.captures import captures_of
from serving.feeding import hear, open_conversation

LIMITS = Limits(
    line=512,
    fields=20,
    field_size=512,
    variables=60,
    variables_size=4096,
    body=1 << 17,
)
LONGEST_UNIT = 66_000  # bytes of the largest record or packet of any protocol
LONGEST_WIRE = 400_000
LONGEST_ROUND = 20.0  # seconds of CPU time: longer is a hang
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
QUESTIONS = (
    Question(target="/a%20b?c=d", headers=[("Accept", "*/*"), ("Cookie", "a=b")]),
    Question(method="POST", target="/", body=b"x" * 100),
    Question(method="PUT", target="/x", body=b"y" * 9000, secret="s"),
    Question(
        method="POST",
        headers=[("Transfer-Encoding", "chunked")],
        body=b"3;a=b\r\nabc\r\n0\r\nT: v\r\n\r\n",
    ),
)
CAPTURED_AS = {"ajp": "ajp13"}
PROXY = "proxy"  # no protocol by itself: it stands before any of them
TARGETS = (*PROTOCOLS, PROXY)
PROXY_HEADERS = (
    b"PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n",
    b"PROXY TCP6 2001:db8::7 ::1 1 65535\r\n",
    b"PROXY UNKNOWN\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x12" + bytes(range(12)) + b"\x03\0\x01h\x04\0",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x21\0\x2f" + bytes(36) + b"\x20\0\x08\1" + bytes(7),
    b"\r\n\r\n\0\r\nQUIT\n\x21\x31\0\xd8" + bytes(216),
)
ODD = (b"\0", b"\xff", b"\r\n", b":", b",", b"=", b"0", b"9" * 20, b"\0" * 8, b"\x80")


def fuzz(protocol: str, number: int) -> None:
    """One round: feed something, and check what must hold whatever it is."""
    chance = random.Random(number)
    wire = mutate(chance, seeds_of(protocol))
    pieces = list(cut_at_random(chance, wire))
    longest = max(map(len, pieces), default=0)
    most = 4 * LIMITS.variables_size + 3 * LONGEST_UNIT + 4 * longest
    began = time.process_time()
    feeds = 0

    def check(conversation: Conversation, request: Request | None) -> None:
        nonlocal feeds
        feeds += 1
        body = request.body if request else None
        if feeds % 16 == 1:
            kept = count_kept([conversation, request, body])
            assert kept <= most, f"{kept} bytes are kept of {len(wire)}"
        if request is not None and (body is None or body.done):
            answer = conversation.answer(request, date=DATE, keep_alive=True)
            answer.start("200 OK", [], b"hello", complete=True)

    conversation = open_target(protocol)
    try:
        hear(conversation, pieces, after=check, leaves=lambda: chance.random() < 0.1)
    except ProtocolError as error:
        conversation.refuse(error, date=DATE)
        conversation.request_line.encode("latin-1")
    spent = time.process_time() - began
    assert spent < LONGEST_ROUND, f"{spent:.1f} s for {len(wire)} bytes"


def open_target(protocol: str) -> Conversation:
    if protocol != PROXY:
        return open_conversation(protocol, limits=LIMITS)
    any_protocol = speak("auto", Terms(limits=LIMITS))
    return Proxy(any_protocol, TrustedPeers(["*"])).converse({"REMOTE_ADDR": ""})


@cache
def seeds_of(protocol: str) -> list[bytes]:
    """Good messages of a protocol, or of all of them, to be spoilt."""
    if protocol == PROXY:
        return [
            header + next(word(name, question))
            for header in PROXY_HEADERS
            for name in WORDINGS
            for question in QUESTIONS
        ]
    if protocol not in WORDINGS:
        return [seed for name in WORDINGS for seed in seeds_of(name)]
    captures = captures_of(CAPTURED_AS.get(protocol, protocol))
    asked = [next(word(protocol, question)) for question in QUESTIONS]
    return asked + [capture.data for capture in captures if capture.data]


def mutate(chance: random.Random, seeds: list[bytes]) -> bytes:
    wire = bytearray(chance.choice(seeds))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(wire) + 1)
        end = min(len(wire), at + chance.choice((1, 2, 4, 30, 2000)))
        match chance.randrange(7):
            case 0:
                wire[at:end] = chance.choice(ODD)
            case 1:
                wire[at:end] = chance.randbytes(end - at)
            case 2:
                del wire[at:end]
            case 3:
                wire[at:at] = chance.choice(ODD) * chance.choice((1, 1, 3000))
            case 4:
                wire[at:at] = wire[at:end] * chance.choice((1, 1, 2, 300))
            case 5:
                wire += chance.choice(seeds)
            case 6:
                wire[at:] = chance.choice(seeds)[at:]
    if chance.random() < 0.05:
        wire *= 20
    return bytes(wire[:LONGEST_WIRE])


def cut_at_random(chance: random.Random, wire: bytes) -> Iterator[bytes]:
    longest = chance.choice((1, 3, 50, 4096, 1 << 20))
    if len(wire) > 20_000:
        longest = max(longest, 50)
    at = 0
    while at < len(wire):
        size = chance.randint(1, longest)
        yield wire[at : at + size]
        at += size


def count_kept(things: list[Any]) -> int:
    """Bytes and characters that can be reached from some things of a connection."""
    kept, seen = 0, set()
    while things:
        thing = things.pop()
        if isinstance(thing, bytes | bytearray | str):
            kept += len(thing)
        elif isinstance(thing, dict):
            things += [*thing.keys(), *thing.values()]
        elif isinstance(thing, list | tuple):
            things += thing
        elif is_of_a_connection(thing) and id(thing) not in seen:
            seen.add(id(thing))
            things += [getattr(thing, name, None) for name in names_of(thing)]
    return kept


def is_of_a_connection(thing: object) -> bool:
    is_ours = type(thing).__module__.startswith("prefork.protocols.")
    return is_ours and not hasattr(thing, "converse")  # that is the listener's


def names_of(thing: object) -> list[str]:
    slots = (getattr(each, "__slots__", ()) for each in type(thing).__mro__)
    return [*getattr(thing, "__dict__", ()), *(name for each in slots for name in each)]
