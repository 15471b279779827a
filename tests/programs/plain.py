"""Imports nothing that is not there: for users who may not read the library."""

import os


def wsgi(environ, start_response):
    text = become_root() if environ["PATH_INFO"] == "/become-root" else "hello"
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [f"{text}\n".encode()]


def become_root():
    try:
        os.setuid(0)
    except OSError as error:
        return type(error).__name__
    return "it is root"
