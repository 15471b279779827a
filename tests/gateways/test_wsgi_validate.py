"""wsgiref.validate, between a server and an application that uses all of WSGI.

What the validator finds wrong it raises in the application, so it would be a 500
and a traceback in the log.
"""

import http.client

import pytest
from serving import Server

pytestmark = pytest.mark.process

LINES = b"first line\nsecond\nthird\nfourth\nfifth, and no end of line"
CHUNKED_LINES = b"".join(
    b"%x\r\n%b\r\n" % (1, LINES[i : i + 1]) for i in range(len(LINES))
)

REQUESTS = [  # method, path, body → status, body
    ("GET", "/", None, 200, b"plain\n"),
    ("GET", "/plain?query=1&%20", None, 200, b"plain\n"),
    ("HEAD", "/plain", None, 200, b""),
    ("OPTIONS", "*", None, 200, b"plain\n"),
    ("GET", "/generated", None, 200, b"chunk 0\nchunk 1\nchunk 2\n"),
    ("HEAD", "/generated", None, 200, b""),
    ("GET", "/written", None, 200, b"written\ntwice\nand returned\n"),
    ("GET", "/replaced", None, 503, b"sorry\n"),
    ("GET", "/file", None, 200, b"of a file\n" * 3),
    ("HEAD", "/file", None, 200, b""),
    ("GET", "/nothing", None, 204, b""),
    ("GET", "/complain", None, 200, b"plain\n"),
    ("POST", "/read", LINES, 200, LINES),
    ("PUT", "/read", LINES, 200, LINES),
    ("POST", "/plain", LINES, 200, b"plain\n"),
]


def test_the_validator_finds_nothing_to_complain_about(server: Server) -> None:
    server.start("-w", "1", app="validated:validated")
    for method, path, body, status, answer in REQUESTS:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.request(method, path, body, {"Cookie": "a=b", "X-Empty": ""})
        response = connection.getresponse()
        assert (path, response.status, response.read()) == (path, status, answer)
        connection.close()
    _assert_nothing_was_found(server)
    assert "a word for the log\nand lines\n" in server.log


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d\r\n\r\n%b" % (len(LINES), LINES),
        b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED_LINES + b"0\r\n\r\n",
    ],
    ids=["length", "chunked"],
)
@pytest.mark.parametrize("buffer", ["0", "65536"], ids=["arriving", "in-memory"])
def test_a_body_can_be_read_in_every_way(
    server: Server, framing: bytes, buffer: str
) -> None:
    server.start("-w", "1", "--body-buffer", buffer, app="validated:validated")
    head = b"POST /read HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
    connection = server.connect()
    for at in range(0, len(head + framing), 7):
        connection.sendall((head + framing)[at : at + 7])
    response = http.client.HTTPResponse(connection)
    response.begin()
    assert (response.status, response.read()) == (200, LINES)
    connection.close()
    _assert_nothing_was_found(server)


def _assert_nothing_was_found(server: Server) -> None:
    server.stop()
    for word in ("Traceback", "AssertionError", "Warning", "without being closed"):
        assert word not in server.log
