"""Servers that others have written, which speak the family: started, and ended."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from glob import glob
from pathlib import Path

from serving.eventually import eventually

SBIN = "/usr/sbin:/sbin"
PHP_FPM = next(iter(sorted(glob("/usr/sbin/php-fpm*"))), None)
FCGIWRAP = shutil.which("fcgiwrap", path=f"{os.environ['PATH']}:{SBIN}")
UWSGI = shutil.which(
    "uwsgi", path=f"{os.environ['PATH']}:{Path(sys.executable).parent}"
)

POOL = """
[global]
error_log = {here}/php-fpm.log
daemonize = no
[www]
{user}
listen = {socket}
pm = static
pm.max_children = 2
"""
APPLICATION = """
def application(environ, start_response):
    body = environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Type", "text/plain")])
    words = environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]
    return [" ".join(words).encode(), b" ", body]
"""


@contextmanager
def running(command: list[str], here: Path, *sockets: Path) -> Iterator[None]:
    """Run until the block ends; it begins when the sockets are there."""
    with (here / "stranger.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=here,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        eventually(lambda: all(socket.exists() for socket in sockets))
        yield
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@contextmanager
def php_fpm(here: Path) -> Iterator[str]:
    """php-fpm; where it listens, for FastCGI."""
    socket = here / "php.sock"
    user = "user = root\ngroup = root" if os.geteuid() == 0 else ""
    configuration = here / "php-fpm.conf"
    configuration.write_text(POOL.format(here=here, socket=socket, user=user))
    command = [str(PHP_FPM), "-n", "-R", "-y", str(configuration)]
    with running(command, here, socket):
        yield f"fastcgi+unix:{socket}"


@contextmanager
def fcgiwrap(here: Path) -> Iterator[str]:
    """fcgiwrap; where it listens, for FastCGI."""
    socket = here / "fcgiwrap.sock"
    with running([str(FCGIWRAP), "-f", "-s", f"unix:{socket}"], here, socket):
        yield f"fastcgi+unix:{socket}"


@contextmanager
def uwsgi(here: Path) -> Iterator[dict[str, str]]:
    """uWSGI with an application; where it listens, by protocol."""
    (here / "application.py").write_text(APPLICATION)
    protocols = ("http", "fastcgi", "scgi", "uwsgi")
    sockets = {protocol: here / f"{protocol}.sock" for protocol in protocols}
    command = [str(UWSGI), "--wsgi-file", "application.py", "--master"]
    for protocol, socket in sockets.items():
        command += [f"--{protocol}-socket", str(socket)]
    with running(command, here, *sockets.values()):
        yield {name: f"{name}+unix:{socket}" for name, socket in sockets.items()}
