"""Answers with what arrived, as JSON, wherever `app` has no other idea."""

import json

import app


def wsgi(environ, start_response):
    if environ["PATH_INFO"].strip("/") in app.PATHS:
        return app.wsgi(environ, start_response)
    strings = {key: value for key, value in environ.items() if type(value) is str}
    strings["wsgi.url_scheme"] = environ["wsgi.url_scheme"]
    headers = [("Content-Type", "application/json"), ("Set-Cookie", "a=1")]
    start_response("200 OK", [*headers, ("Set-Cookie", "b=2")])
    return [json.dumps(strings).encode()]
