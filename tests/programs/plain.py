"""Imports nothing that is not there: for users who may not read the library."""

import os
import time


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/sleep":
        time.sleep(0.2)
    body = f"{os.getpid()}\n".encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
