"""What the tests of the wire ask of an application; each path is a behaviour.

What it sees happen it prints, so that it stands in the server's log.
"""

import os
import sys
from urllib.parse import parse_qs


def wsgi(environ, start_response):
    query = {k: v[-1] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    return PATHS[environ["PATH_INFO"].strip("/")](environ, start_response, query)


def say(words):
    print(words, file=sys.stderr, flush=True)


def status(environ, start_response, query):
    """Answer with a status, and a body that the status may forbid."""
    start_response(f"{query['code']} Of The Test", [("Content-Type", "text/plain")])
    return [b"a body, if there may be one\n"]


def length(environ, start_response, query):
    """Promise as much as `says`, and give as much as `gives`, in some chunks."""
    start_response("200 OK", [("Content-Length", query["says"])])
    chunk, rest = divmod(int(query["gives"]), 3)
    return [b"1" * chunk, b"2" * chunk, b"3" * (chunk + rest)]


def read(environ, start_response, query):
    """Read the body in pieces; say how it ended."""
    size = 0
    try:
        while block := environ["wsgi.input"].read(8192):
            size += len(block)
            say(f"read {size}")
    except OSError as error:
        say(f"read failed: {error}")
        raise
    say("read everything")
    start_response("200 OK", [])
    return [str(size).encode()]


def late_read(environ, start_response, query):
    """Begin the answer first, and read the body then."""
    start_response("200 OK", [])(b"begun\n")
    try:
        return [environ["wsgi.input"].read()]
    except OSError:
        return [b"no body\n"]


def blocks(environ, start_response, query):
    """As many blocks of 64 KiB as are wanted."""
    start_response("200 OK", [])
    return (b"x" * 65536 for _ in range(int(query["n"])))


def bare_file(environ, start_response, query):
    """A file with nothing said of its length."""
    start_response("200 OK", [])
    file = open(query["path"], "rb")  # noqa: SIM115 - the server closes it
    file.seek(int(query.get("from", "0")))
    return environ["wsgi.file_wrapper"](file)


def truncate(environ, start_response, query):
    os.truncate(query["path"], int(query["size"]))
    start_response("200 OK", [])
    return [b"cut\n"]


PATHS = {
    function.__name__.replace("_", "-"): function
    for function in (
        status,
        length,
        read,
        late_read,
        blocks,
        bare_file,
        truncate,
    )
}
