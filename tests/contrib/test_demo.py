"""The demonstration serves what its page asks for."""

import hashlib
import http.client
import json
import re
from pathlib import Path

import pytest
from serving import Server, eventually

pytestmark = pytest.mark.process

DEMO = Path(__file__).parents[2] / "contrib" / "demo"


@pytest.fixture
def demo(server: Server) -> Server:
    return server.start("-w", "2", "--chdir", str(DEMO))


def request(
    server: Server, method: str, path: str, body: bytes = b""
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=15)
    try:
        connection.request(method, path, body)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_every_path_that_the_page_asks_for_is_there(demo: Server) -> None:
    status, page = demo.get("/")
    assert status == 200
    asked = set(re.findall(r"fetch\('([^'?]+)", page.decode()))
    assert asked == {"/who", "/slow", "/crash", "/upload", "/stream"}
    for path in ("/who", "/slow?seconds=0"):
        assert json.loads(demo.get(path)[1])["pid"] in demo.workers()
    assert demo.get("/nowhere")[0] == 404


def test_the_form_is_answered_and_escaped(demo: Server) -> None:
    _, page = request(demo, "POST", "/", b"name=%3Cb%3E%C3%A9")
    assert "Hello, &lt;b&gt;é!" in page.decode()


def test_an_upload_is_read_to_its_end(demo: Server) -> None:
    body = bytes(range(256)) * 8192
    _, answer = request(demo, "PUT", "/upload", body)
    found = json.loads(answer)
    assert found["bytes"] == len(body)
    assert found["sha256"] == hashlib.sha256(body).hexdigest()


def test_the_stream_begins_before_it_ends(demo: Server) -> None:
    with demo.connect() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        while b" 1 of 20" not in received:
            received += (part := connection.recv(65536))
            assert part
    assert b"20 of 20" not in received


def test_a_worker_that_is_killed_is_replaced(demo: Server) -> None:
    before = demo.workers()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        request(demo, "POST", "/crash")
    demo.wait_log('lost worker cause="SIGKILL from outside" .* POST /crash')
    eventually(lambda: len(demo.workers()) == 2 and demo.workers() != before)
