"""Whatever passes by, the one who looks on neither fails nor keeps it."""

import random

import pytest
from serving.fuzzing import count_kept, cut_at_random, mutate, seeds_of

from prefork.protocols import fastcgi_records as wire
from prefork.protocols.ajp_packets import TO_FRONT_END, format_packet
from prefork.protocols.watching.events import Side
from prefork.protocols.watching.table import SCRIPTS, find_script
from prefork.protocols.watching.witness import Witness

ROUNDS = 60
MOST_KEPT = 3 << 20  # bytes; a head, with all its variables, is the most
PLAIN = b"Status: 200 OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
)
ANSWERS = {
    "http": CHUNKED,
    "fastcgi": wire.format_record(wire.STDOUT, 1, PLAIN) + wire.format_end(1),
    "ajp": b"".join(
        format_packet(TO_FRONT_END, payload)
        for payload in (b"\x04\0\xc8\0\x02OK\0\0\0", b"\x03\0\x05hello\0", b"\x05\x01")
    ),
}


@pytest.mark.parametrize("protocol", SCRIPTS)
def test_nothing_escapes_and_nothing_grows(protocol: str) -> None:
    for number in range(ROUNDS):
        look_on(protocol, random.Random(number))


def look_on(protocol: str, chance: random.Random) -> None:
    script = find_script(protocol)
    witness = Witness(script)
    requests = mutate(chance, seeds_of(protocol))
    answers = mutate(chance, [ANSWERS.get(protocol, PLAIN) * chance.choice((1, 3))])
    for side, data in ((Side.CLIENT, requests), (Side.SERVER, answers)):
        for piece in cut_at_random(chance, data):
            witness.hear(side, piece)
        assert count_kept([script, *vars(witness).values()]) < MOST_KEPT
    for side in Side:
        witness.hear(side, b"")
        assert witness.hear(side, b"more") == []
