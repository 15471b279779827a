"""An application that uses all of PEP 3333, with wsgiref's validator around it."""

import io
import sys
from wsgiref.validate import validator


def application(environ, start_response):
    name = environ["PATH_INFO"].strip("/") or "plain"
    return PATHS[name](environ, start_response)


TEXT = [("Content-Type", "text/plain")]


def plain(environ, start_response):
    start_response("200 OK", [*TEXT, ("Content-Length", "6")])
    return [b"plain\n"]


def generated(environ, start_response):
    start_response("200 OK", list(TEXT))
    for number in range(3):
        yield b"chunk %d\n" % number


def written(environ, start_response):
    write = start_response("200 OK", list(TEXT))
    write(b"written\n")
    write(b"twice\n")
    return [b"and returned\n"]


def replaced(environ, start_response):
    start_response("200 OK", list(TEXT))
    try:
        raise RuntimeError("on purpose")
    except RuntimeError:
        start_response("503 Service Unavailable", list(TEXT), sys.exc_info())
    return [b"sorry\n"]


def file(environ, start_response):
    start_response("200 OK", list(TEXT))
    return environ["wsgi.file_wrapper"](io.BytesIO(b"of a file\n" * 3), 10)


def nothing(environ, start_response):
    start_response("204 No Content", [])
    return []


def read(environ, start_response):
    """Read the body in every way there is; answer with what came."""
    body = environ["wsgi.input"]
    parts = [body.read(5), body.readline(), *body.readlines(1)]
    parts += [next(iter(body))]
    parts += [*body.readlines()]
    parts += [body.read(10), body.readline(), *body, *body.readlines()]
    start_response("200 OK", list(TEXT))
    return parts


def complain(environ, start_response):
    errors = environ["wsgi.errors"]
    errors.write("a word for the log\n")
    errors.writelines(["and ", "lines\n"])
    errors.flush()
    return plain(environ, start_response)


PATHS = {
    function.__name__: function
    for function in (plain, generated, written, replaced, file, nothing, read, complain)
}

validated = validator(application)
