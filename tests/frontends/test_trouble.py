"""What goes wrong on one side does no harm on the other, behind each front end."""

import http.client
from contextlib import closing

import pytest
from serving import eventually
from serving.front_end import FrontEnd

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]


def was_cut(front: FrontEnd, target: str) -> bool:
    """The client is told: in the middle of the answer, or instead of it."""
    try:
        return front.get(target).status >= 500
    except (http.client.IncompleteRead, ConnectionResetError):
        return True


def check(front: FrontEnd) -> None:
    """Every worker still serves."""
    for _ in range(8):
        assert front.get("/hello").body == b"hello\n"


def test_an_error_before_the_head_is_a_500(front: FrontEnd) -> None:
    answer = front.get("/fail")
    assert answer.status == 500
    assert b"purpose" not in answer.body and b"Traceback" not in answer.body
    check(front)


def test_an_error_after_the_head_is_seen_by_the_client(front: FrontEnd) -> None:
    assert was_cut(front, "/fail-late")
    check(front)


def test_an_answer_that_is_too_short_is_seen_by_the_client(front: FrontEnd) -> None:
    assert was_cut(front, "/fail-short")
    check(front)


def test_a_worker_that_dies_is_a_bad_gateway(front: FrontEnd) -> None:
    assert front.get("/leave").status in (500, 502, 503, 504)
    eventually(lambda: front.get("/hello").status == 200)
    check(front)


def test_an_answer_can_come_before_the_body_is_read(front: FrontEnd) -> None:
    answer = front.post("/ignore", b"x" * 3_000_000)
    assert (answer.status, answer.body) == (403, b"not read\n")
    check(front)


def test_after_early_answers_connections_go_on(front: FrontEnd) -> None:
    """Apache leaves off in the middle of the body, and goes on with what follows."""
    for _ in range(5):
        assert front.post("/ignore", b"x" * 300_000).status == 403
        assert front.get("/hello").body == b"hello\n"
    check(front)


def test_a_body_that_is_too_long_is_a_413(front: FrontEnd) -> None:
    assert front.post("/count", b"x" * (9 << 20)).status == 413
    check(front)


def test_clients_that_leave_do_no_harm(front: FrontEnd) -> None:
    for target in ("/sleep?s=0.2", "/big?size=20000000", "/trickle"):
        for _ in range(2):
            with closing(front.connect()) as connection:
                connection.request("GET", target)
    check(front)


def test_clients_that_leave_in_an_upload_do_no_harm(front: FrontEnd) -> None:
    for _ in range(6):
        with front.wire() as wire:
            wire.request("/count", "Content-Length: 1000000", method="POST")
            wire.send(b"x" * 100_000)
    check(front)
