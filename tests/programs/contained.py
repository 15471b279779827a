"""An application that tells of the container it is in, and leaves orphans there."""

import json
import os
import pwd
import tempfile


def wsgi(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [json.dumps(PATHS[environ["PATH_INFO"].strip("/")]()).encode()]


def place():
    return {
        "parent": os.getppid(),
        "uid": os.getuid(),
        "name": try_to(lambda: pwd.getpwuid(os.getuid()).pw_name),
        "home": os.environ.get("HOME"),
        "here": try_to(lambda: os.open("written", os.O_CREAT | os.O_WRONLY)),
        "temporary": try_to(tempfile.TemporaryFile),
        "shared": try_to(lambda: os.listdir("/dev/shm")),
    }


def try_to(do):
    try:
        return repr(do())
    except (OSError, KeyError) as error:
        return type(error).__name__


def orphan():
    """Leave a grandchild behind, which its parent does not wait for, and which ends."""
    child = os.fork()
    if not child:
        if not os.fork():
            os.execvp("sleep", ["sleep", "0.1"])
        os._exit(0)
    os.waitpid(child, 0)
    return "left"


PATHS = {"place": place, "orphan": orphan}
