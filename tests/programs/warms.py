"""What requests leave behind in a worker, as a refork finds it."""

import inspect
import os
import socket
import subprocess
import threading

import app

LEFT = {}


def wsgi(environ, start_response):
    path = environ["PATH_INFO"]
    if path in PATHS:
        return PATHS[path](environ, start_response)
    return app.wsgi(environ, start_response)


def know(environ, start_response):
    """Which process has learnt it."""
    LEFT.setdefault("known", str(os.getpid()))
    return app.answer(start_response, b"learnt")


def known(environ, start_response):
    return app.answer(start_response, LEFT.get("known", "").encode())


def spoil(environ, start_response):
    LEFT["health"] = "500 Internal Server Error"
    return app.answer(start_response, b"spoilt")


def health(environ, start_response):
    return app.answer(start_response, b"?", LEFT.get("health", "200 OK"))


def thread(environ, start_response):
    wait = threading.Event().wait
    threading.Thread(target=wait, name="sender", daemon=True).start()
    return app.answer(start_response, b"started")


def child(environ, start_response):
    """One that has exited, and that nobody has waited for."""
    LEFT["child"] = subprocess.Popen(["true"])
    return app.answer(start_response, b"started")


def connect(environ, start_response):
    address = ("127.0.0.1", int(environ["SERVER_PORT"]))
    LEFT["connection"] = socket.create_connection(address)
    return app.answer(start_response, b"connected")


def depth(environ, start_response):
    return app.answer(start_response, str(len(inspect.stack(0))).encode())


PATHS = {
    f"/{function.__name__}": function
    for function in (know, known, spoil, health, thread, child, connect, depth)
}
