"""What the application answers reaches the client, through each front end."""

import http.client
from contextlib import closing
from pathlib import Path

import pytest
from serving.front_end import FrontEnd

pytestmark = [pytest.mark.process, pytest.mark.slow, pytest.mark.frontend]


def test_head_gets_no_body(front: FrontEnd) -> None:
    for target in ("/big?size=5000", "/many", "/stream"):
        answer = front.ask("HEAD", target)
        assert answer.body == b""
    assert front.ask("HEAD", "/big?size=5000").headers["Content-Length"] == "5000"
    assert front.get("/hello").body == b"hello\n"


def test_answers_that_have_no_body_have_none(front: FrontEnd) -> None:
    for path, status, field in [
        ("/no-content", b"204", b"x-kept: yes"),
        ("/not-modified", b"304", b'etag: "7"'),
    ]:
        with front.wire() as wire:
            wire.request(path, "Connection: close")
            head, _, body = wire.read_rest().partition(b"\r\n\r\n")
        assert (head.split()[1], body) == (status, b"")
        assert field in head.lower()


def test_a_redirect_is_the_clients_to_follow(front: FrontEnd) -> None:
    answer = front.get("/moved")
    assert (answer.status, answer.headers["Location"]) == (301, "http://example.org/x")


def test_a_redirect_can_be_relative_and_have_words(front: FrontEnd) -> None:
    answer = front.get("/see-other")
    assert answer.status in (302, 303)
    here = f"http://127.0.0.1:{front.port}"
    assert answer.headers["Location"].removeprefix(here) == "/there?a=b"
    assert answer.body == b"go there\n"


def test_a_303_stays_a_303(front: FrontEnd) -> None:
    assert front.get("/see-other").status == 303


def test_status_and_fields_arrive(front: FrontEnd) -> None:
    answer = front.get("/many")
    assert (answer.status, answer.body) == (404, b"not here\n")
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.headers["X-Long"] == "v" * 2000
    assert answer.headers["X-Latin"] == "gr\xfc\xdfe"


def test_cookies_that_are_set_arrive_one_by_one(front: FrontEnd) -> None:
    cookies = front.get("/many").headers.get_all("Set-Cookie")
    assert cookies == ["a=1; Path=/", "b=2"]


def test_one_date_arrives(front: FrontEnd) -> None:
    assert len(front.get("/hello").headers.get_all("Date")) == 1


def test_a_large_download_arrives_whole(front: FrontEnd) -> None:
    answer = front.get("/big?size=20000000")
    assert answer.headers["Content-Length"] == "20000000"
    assert answer.body == b"x" * 20_000_000


def test_a_long_stream_arrives_whole(front: FrontEnd) -> None:
    lines = b"".join(b"chunk %d\n" % number for number in range(3000))
    assert front.get("/stream?n=3000").body == lines


def test_a_stream_arrives_while_it_is_made(front: FrontEnd, tmp_path: Path) -> None:
    go = tmp_path / "go"
    with closing(front.connect()) as connection:
        connection.request("GET", f"/trickle?{go}")
        try:
            response = connection.getresponse()
            assert response.read1(100) == b"chunk 0\n"
        finally:
            go.touch()
        assert response.read() == b"chunk 1\n"


def test_several_answers_over_one_connection_of_a_client(front: FrontEnd) -> None:
    with closing(front.connect()) as connection:
        for path, body in [("/hello", b"hello\n"), ("/no-content", b"")] * 3:
            connection.request("GET", path)
            assert connection.getresponse().read() == body
        connection.request("POST", "/count", b"x" * 1000)
        assert connection.getresponse().read() == b"1000"
        assert isinstance(connection.sock, http.client.socket.socket)
