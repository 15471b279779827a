"""No bytes that a peer may send bring a protocol down: a short look at each.

`make fuzz SECONDS=600` looks longer.
"""

import pytest
from serving.fuzzing import TARGETS, count_kept, fuzz

from prefork.protocols.http_body import LengthBody
from prefork.protocols.request import Request

ROUNDS = 100


@pytest.mark.parametrize("protocol", TARGETS)
def test_whatever_comes_is_a_request_or_a_protocol_error(protocol: str) -> None:
    for number in range(ROUNDS):
        fuzz(protocol, number)


def test_what_a_connection_keeps_is_counted_wherever_it_is() -> None:
    body = LengthBody(10)
    body.feed(b"x" * 17)
    request = Request({"A": "bc"}, body=body, rest=b"1234", keep_alive=True)
    assert count_kept([request]) == 3 + 7 + 4
