"""The application of the process tests: one path for each way to behave."""

import hashlib
import os
import signal
import socket
import sys
import threading
import time
from urllib.parse import parse_qs


def wsgi(environ, start_response):
    path = environ["PATH_INFO"].strip("/") or "hello"
    query = {k: v[-1] for k, v in parse_qs(environ["QUERY_STRING"]).items()}
    if "say" in query:  # so that a test knows when its request is being served
        print(query["say"], file=environ["wsgi.errors"])
    return PATHS[path](environ, start_response, query)


def answer(start_response, body, status="200 OK", content_type="text/plain"):
    headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start_response(status, headers)
    return [body]


def hello(environ, start_response, query):
    return answer(start_response, b"hello\n")


def pid(environ, start_response, query):
    return answer(start_response, str(os.getpid()).encode())


def sleep(environ, start_response, query):
    time.sleep(float(query.get("s", "1")))
    return answer(start_response, b"slept\n")


def hold(environ, start_response, query):
    """Answer when a file is there: when a test says so, but not too soon."""
    time.sleep(float(query.get("s", "0")))
    wait_for(query["until"])
    return answer(start_response, b"held\n")


def wait_for(path):
    while not os.path.exists(path):
        time.sleep(0.01)


def extend(environ, start_response, query):
    """Ask for more time, then take it."""
    environ["prefork.deadline"].extend(float(query["by"]))
    return sleep(environ, start_response, query)


def read_late(environ, start_response, query):
    """Wait in read(2) for what a thread writes after a while."""
    reader, writer = os.pipe()
    timer = threading.Timer(float(query.get("s", "1")), os.write, (writer, b"late\n"))
    timer.start()
    try:
        return answer(start_response, os.read(reader, 100))
    finally:
        timer.join()
        os.close(reader)
        os.close(writer)


def spin(environ, start_response, query):
    """Compute in C, holding the interpreter's lock."""
    sum(range(10**12))
    return answer(start_response, b"never\n")


def deaf(environ, start_response, query):
    """Block every signal that can be blocked, and sleep."""
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    time.sleep(float(query.get("s", "60")))
    return answer(start_response, b"woke\n")


def echo(environ, start_response, query):
    return answer(start_response, environ["wsgi.input"].read())


def count(environ, start_response, query):
    body, size = environ["wsgi.input"], 0
    while block := body.read(65536):
        size += len(block)
    return answer(start_response, str(size).encode())


def digest(environ, start_response, query):
    body, digest = environ["wsgi.input"], hashlib.md5()
    while block := body.read(65536):
        digest.update(block)
    return answer(start_response, digest.hexdigest().encode())


def ignore(environ, start_response, query):
    return answer(start_response, b"not read\n", "403 Forbidden")


def status(environ, start_response, query):
    """Answer with any status, and a body that some of them must not have."""
    start_response(query["code"] + " Said", [("Content-Type", "text/plain")])
    return [b"body\n"]


def big(environ, start_response, query):
    return answer(start_response, b"x" * int(query.get("size", 10 << 20)))


def file(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "application/octet-stream")])
    return environ["wsgi.file_wrapper"](open(query["path"], "rb"))


def stream(environ, start_response, query):
    """Chunks; `until`: all but the first wait for a file."""
    start_response("200 OK", [("Content-Type", "text/plain")])

    def chunks():
        for number in range(int(query.get("n", "3"))):
            yield f"chunk {number}\n".encode()
            time.sleep(float(query.get("s", "0")))
            wait_for(query.get("until", "/"))

    return chunks()


def environ(environ, start_response, query):
    lines = [f"{key}={value!r}\n" for key, value in sorted(environ.items())]
    return answer(start_response, "".join(lines).encode())


def fail(environ, start_response, query):
    raise RuntimeError("failed on purpose")


def fail_late(environ, start_response, query):
    start_response("200 OK", [("Content-Type", "text/plain")])

    def chunks():
        yield b"so far so good\n"
        raise RuntimeError("failed on purpose, late")

    return chunks()


def leave(environ, start_response, query):
    os._exit(int(query.get("code", "3")))


def crash(environ, start_response, query):
    os.kill(os.getpid(), signal.SIGSEGV)


def leak(environ, start_response, query):
    LEAKED.append(bytearray(os.urandom(1024)) * (1024 * int(query.get("mb", "10"))))
    return answer(start_response, str(os.getpid()).encode())


LEAKED = []


def flood(environ, start_response, query):
    """Write 100 MB to stderr."""
    line = "x" * 1023 + "\n"
    for _ in range(int(query.get("lines", "100000"))):
        sys.stderr.write(line)
    return answer(start_response, b"flooded\n")


def unblock_listeners(environ, start_response, query):
    """Flip O_NONBLOCK of every descriptor, as careless libraries do."""
    for name in os.listdir("/proc/self/fd"):
        try:
            os.set_blocking(int(name), True)
        except OSError:
            pass
    return answer(start_response, b"flipped\n")


def scribble(environ, start_response, query):
    """Write into the channel to the master, as who mistakes a descriptor may."""
    for fd in range(3, 64):
        try:
            found = socket.socket(fileno=fd)
        except OSError:
            continue  # it is none
        if found.type == socket.SOCK_SEQPACKET:
            found.send(query["text"].encode())
        found.detach()
    return answer(start_response, b"scribbled\n")


PATHS = {
    name.replace("_", "-"): function
    for name, function in list(globals().items())
    if callable(function) and name not in ("wsgi", "answer", "parse_qs", "wait_for")
}
