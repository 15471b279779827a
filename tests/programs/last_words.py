"""Writes to stderr, and dies at once."""

import os
import sys

import app


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/die":
        sys.stderr.write("these were my last words\n")
        os._exit(3)
    return app.wsgi(environ, start_response)
