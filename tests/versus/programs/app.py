"""What all servers of Python run; `publish` writes the lines above it."""

import os
import time


def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/sleep":
        note("sleep")
        time.sleep(float(environ["QUERY_STRING"]))
    elif path == "/hang":
        note("hang")
        compute_for_ever()
    body = VERSION.encode()  # noqa: F821 - the first of those lines
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]


def note(word):
    """Tell the one who measures; a line so short is written in one piece."""
    with open("seen", "a") as file:
        file.write(f"{word} {os.getpid()}\n")


def compute_for_ever():
    """In C, and nothing else in this process gets a turn."""
    sum(range(10**12))


note("import")
