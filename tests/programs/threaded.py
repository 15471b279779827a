"""Starts a thread while it is imported; /alive tells if it runs here."""

import threading

import app

POLLER = threading.Thread(target=threading.Event().wait, name="poller", daemon=True)
POLLER.start()


def wsgi(environ, start_response):
    if environ["PATH_INFO"] == "/alive":
        is_alive = any(t.name == "poller" for t in threading.enumerate())
        return app.answer(start_response, str(is_alive).encode())
    return app.wsgi(environ, start_response)
