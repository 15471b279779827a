"""Tells what it got, as JSON: the environ, and size and digest of the body.

A few paths answer in a way that a front end may spoil; the others of `app` are here
as well.
"""

import hashlib
import json

import app


def wsgi(environ, start_response):
    path = environ["PATH_INFO"].strip("/")
    if path in ANSWERS:
        return ANSWERS[path](environ, start_response)
    if path in app.PATHS:
        return app.wsgi(environ, start_response)
    return tell(environ, start_response)


def tell(environ, start_response):
    told = {key: value for key, value in environ.items() if type(value) is str}
    told["body"] = read_all(environ["wsgi.input"])
    text = json.dumps(told).encode()
    return app.answer(start_response, text, content_type="application/json")


def read_all(body):
    size, digest = 0, hashlib.md5()
    while block := body.read(65536):
        size += len(block)
        digest.update(block)
    return {"size": size, "md5": digest.hexdigest()}


def no_content(environ, start_response):
    start_response("204 No Content", [("X-Kept", "yes")])
    return [b""]


def not_modified(environ, start_response):
    start_response("304 Not Modified", [("ETag", '"7"')])
    return [b""]


def see_other(environ, start_response):
    """To another place of this host, with words for old clients."""
    start_response("303 See Other", [("Location", "/there?a=b"), TEXT])
    return [b"go there\n"]


def moved(environ, start_response):
    start_response("301 Moved Permanently", [("Location", "http://example.org/x")])
    return [b""]


def many(environ, start_response):
    """Header fields that are repeated, long, and beyond ASCII."""
    cookies = [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")]
    odd = [("X-Long", "v" * 2000), ("X-Latin", "gr\xfc\xdfe"), ("X-Empty", "")]
    start_response("404 Gone Fishing", [TEXT, *cookies, *odd])
    return [b"not here\n"]


def trickle(environ, start_response):
    """A first line; the second when there is a file, if its path is in the query."""
    start_response("200 OK", [TEXT, ("X-Accel-Buffering", "no")])
    query = {"n": "2", "s": "0.4", "until": environ["QUERY_STRING"] or "/"}
    return app.PATHS["stream"](environ, lambda *_: None, query)


def fail_short(environ, start_response):
    """Promise more than there is, then break off."""
    start_response("200 OK", [TEXT, ("Content-Length", "1000")])
    return app.PATHS["fail-late"](environ, lambda *_: None, {})


TEXT = ("Content-Type", "text/plain")
ANSWERS = {
    "no-content": no_content,
    "not-modified": not_modified,
    "see-other": see_other,
    "moved": moved,
    "many": many,
    "trickle": trickle,
    "fail-short": fail_short,
}
