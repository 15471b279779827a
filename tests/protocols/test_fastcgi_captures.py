"""What real web servers have sent over FastCGI, in any pieces (tests/captures)."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from prefork.errors import ProtocolError
from prefork.protocols.fastcgi import Fastcgi
from prefork.protocols.fastcgi_records import GET_VALUES_RESULT, HEADER
from prefork.protocols.terms import Terms

CAPTURES = Path(__file__).parents[1] / "captures"
EXPECTED: dict[str, Any] = json.loads((CAPTURES / "fastcgi.json").read_text())
# Variables of which the front ends do not have their own idea
SAME = ("REQUEST_METHOD", "REQUEST_URI", "QUERY_STRING", "CONTENT_TYPE", "FCGI_ROLE")


def read(data: bytes, size: int) -> tuple[list[dict[str, Any]], bytes]:
    """The requests in a stream, as they are described in fastcgi.json."""
    terms = Terms(defaults={"SERVER_NAME": "here", "SERVER_PORT": "80"})
    conversation = Fastcgi(terms).converse({"REMOTE_ADDR": ""})
    found: list[dict[str, Any]] = []
    request, body = None, b""
    for at in range(0, len(data), size):
        piece = data[at : at + size]
        while piece:
            if request is None:
                request, body = conversation.feed(piece), b""
                piece = request.rest if request else b""
                if request:
                    found.append(describe(request.variables, keep=request.keep_alive))
            if request and request.body:
                body += request.body.feed(piece)
                piece = request.body.rest
            if request and (request.body is None or request.body.done):
                found[-1]["body"] = [len(body), hashlib.sha256(body).hexdigest()]
                request = None
    return found, conversation.replies


def describe(variables: dict[str, str], *, keep: bool) -> dict[str, Any]:
    assert variables["SCRIPT_NAME"] + variables["PATH_INFO"]
    assert variables["SERVER_NAME"] and variables["SERVER_PORT"].isdigit()
    assert variables.get("CONTENT_LENGTH", "0").isdigit()
    assert not {"HTTP_PROXY", "HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE"} & {*variables}
    fields = {
        name: value
        for name, value in variables.items()
        if name.startswith(("HTTP_X_", "HTTP_COOKIE", "HTTP_AUTH"))
        and not name.startswith("HTTP_X_FORWARDED")
    }
    return {
        **{name: variables[name] for name in SAME if name in variables},
        "keep": keep,
        "fields": fields if len(fields) < 10 else len(fields),
        "body": None,  # it broke off
    }


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_capture_is_the_request_that_was_sent_in_any_pieces(name: str) -> None:
    data = (CAPTURES / f"{name}.bin").read_bytes()
    for size in (1, 2, 7, 100_000):
        if isinstance(EXPECTED[name], str):
            with pytest.raises(ProtocolError, match=EXPECTED[name]):
                read(data, size)
        else:
            assert read(data, size)[0] == EXPECTED[name]


def test_there_is_an_expectation_for_every_capture() -> None:
    assert {path.stem for path in CAPTURES.glob("*-fastcgi-*.bin")} == {*EXPECTED}


def test_haproxy_is_told_what_it_asks_first() -> None:
    data = (CAPTURES / "haproxy-fastcgi-fk-two.bin").read_bytes()
    _, replies = read(data, 100_000)
    assert HEADER.unpack_from(replies)[1] == GET_VALUES_RESULT
    assert b"FCGI_MAX_REQS" in replies and b"FCGI_MPXS_CONNS\x30" in replies
