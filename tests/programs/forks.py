"""An application that forks: each path is a way in which its child behaves."""

import multiprocessing
import os
import sys
import time


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return PATHS[environ["PATH_INFO"].strip("/")]()


def pid():
    return [str(os.getpid()).encode()]


def lives_on():
    child = os.fork()
    if not child:
        time.sleep(60)
        os._exit(0)
    return iter([str(child).encode()])


def comes_back():
    return [b"parent" if os.fork() else b"child"]


def exits():
    child = os.fork()
    if not child:
        sys.exit()
    os.waitpid(child, 0)
    return [b"parent"]


def is_terminated():
    fork = multiprocessing.get_context("fork")
    child = fork.Process(target=time.sleep, args=(60,))
    child.start()
    child.terminate()
    child.join(10)
    child.kill()
    return [str(child.exitcode).encode()]


PATHS = {
    f.__name__.replace("_", "-"): f
    for f in (pid, lives_on, comes_back, exits, is_terminated)
}
