"""An application that shows in what surroundings it runs, and what it may do there."""

import multiprocessing
import os
import socket
import sys
import threading
import time
from pathlib import Path

VERSION = "1"


def wsgi(environ, start_response):
    answer = ANSWERS[environ["PATH_INFO"]](environ)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [answer.encode()]


def sleep(environ):
    time.sleep(float(environ["QUERY_STRING"]))
    return "slept"


def wait(environ):
    """Until somebody makes the file `go` in the service's own directory."""
    go = Path(os.environ["RUNTIME_DIRECTORY"]) / "go"
    while not go.exists():
        time.sleep(0.01)
    return "waited"


def fail(environ):
    raise RuntimeError("on purpose")


def surroundings(environ):
    names = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "WATCHDOG_USEC")
    return " ".join(name for name in names if name in os.environ) or "clean"


def use_everything(environ):
    """What applications do, and a sandbox might forbid."""
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    multiprocessing.Lock().acquire()
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
    Path("/tmp/file").write_text("x")
    (Path(os.environ["RUNTIME_DIRECTORY"]) / "file").write_text("x")
    return f"{os.getuid() != 0} {sys.version_info.major}"


ANSWERS = {
    "/": lambda environ: f"version {VERSION}",
    "/surroundings": surroundings,
    "/everything": use_everything,
    "/sleep": sleep,
    "/wait": wait,
    "/fail": fail,
    "/protocol": lambda environ: environ["SERVER_PROTOCOL"],
}
