"""A WSGI application to try a server with: plain PEP 3333, no dependency.

    prefork-wsgi -w 4 app:wsgi          and then open http://127.0.0.1:8000

The page asks for what is below: who answers, a form, an upload, a stream, a slow
answer, and an answer that never comes because the worker dies.
"""

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from html import escape
from pathlib import Path
from string import Template
from typing import Any
from urllib.parse import parse_qs

Environ = dict[str, Any]
StartResponse = Callable[..., Any]

PAGE = Template(Path(__file__).with_name("page.html").read_text())
BORN = time.monotonic()
SHOWN = (  # of the request's variables (RFC 3875, PEP 3333)
    "REQUEST_METHOD PATH_INFO QUERY_STRING SERVER_PROTOCOL SERVER_NAME SERVER_PORT "
    "REMOTE_ADDR HTTP_HOST HTTP_USER_AGENT wsgi.url_scheme wsgi.multiprocess"
).split()
LONGEST_FORM = 10_000  # bytes
BLOCK = 65536

served = 0  # by this worker


def wsgi(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Answer one request."""
    global served
    served += 1
    route = (environ["REQUEST_METHOD"], environ["PATH_INFO"])
    # HEAD is GET without the body, which the server leaves out.
    view = VIEWS.get(("GET", route[1]) if route[0] == "HEAD" else route, missing)
    return view(environ, start_response)


def index(environ: Environ, start_response: StartResponse) -> list[bytes]:
    return show_page(environ, start_response, "")


def greet(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """The form: its fields come as the body of a POST."""
    length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_FORM)
    form = parse_qs(environ["wsgi.input"].read(length).decode())
    name = form.get("name", ["stranger"])[0]
    return show_page(environ, start_response, f"Hello, {name}!")


def upload(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Read the body block by block: it may be larger than the memory."""
    body, size, digest = environ["wsgi.input"], 0, hashlib.sha256()
    began = time.monotonic()
    while block := body.read(BLOCK):
        size += len(block)
        digest.update(block)
    seconds = round(time.monotonic() - began, 3)
    found = {"bytes": size, "sha256": digest.hexdigest(), "seconds": seconds}
    return send_json(start_response, found | who_am_i())


def who(environ: Environ, start_response: StartResponse) -> list[bytes]:
    return send_json(start_response, who_am_i())


def slow(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Hold this worker for some seconds; the others go on."""
    query = parse_qs(environ["QUERY_STRING"])
    seconds = min(float(query.get("seconds", ["3"])[0]), 60.0)
    time.sleep(seconds)
    return send_json(start_response, {"slept": seconds} | who_am_i())


def stream(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
    """A line every quarter of a second, each sent when it is made."""
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    for number in range(1, 21):
        yield f"{number:2} of 20, by worker {os.getpid()}\n".encode()
        time.sleep(0.25)


def crash(environ: Environ, start_response: StartResponse) -> list[bytes]:
    """Die in the middle of the request; the server's log says so, and how."""
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def missing(environ: Environ, start_response: StartResponse) -> list[bytes]:
    body = b"There is no such page.\n"
    return send(start_response, body, "text/plain; charset=utf-8", "404 Not Found")


VIEWS: dict[tuple[str, str], Callable[..., Iterable[bytes]]] = {
    ("GET", "/"): index,
    ("POST", "/"): greet,
    ("GET", "/who"): who,
    ("POST", "/upload"): upload,
    ("PUT", "/upload"): upload,
    ("GET", "/stream"): stream,
    ("GET", "/slow"): slow,
    ("POST", "/crash"): crash,
}


def who_am_i() -> dict[str, object]:
    age = round(time.monotonic() - BORN, 1)
    return {"pid": os.getpid(), "served": served, "seconds_since_import": age}


def show_page(
    environ: Environ, start_response: StartResponse, greeting: str
) -> list[bytes]:
    facts = who_am_i() | {name: environ.get(name, "") for name in SHOWN}
    rows = [
        f"<tr><th>{escape(name)}<td>{escape(str(value))}"
        for name, value in facts.items()
    ]
    page = PAGE.substitute(facts="\n".join(rows), greeting=escape(greeting))
    return send(start_response, page.encode(), "text/html; charset=utf-8")


def send_json(start_response: StartResponse, content: object) -> list[bytes]:
    return send(
        start_response, json.dumps(content).encode() + b"\n", "application/json"
    )


def send(
    start_response: StartResponse, body: bytes, kind: str, status: str = "200 OK"
) -> list[bytes]:
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
    ]
    start_response(status, headers)
    return [body]
