"""Listening on a name while its name server is silent: nobody waits but a child."""

import os
import re
import signal
from pathlib import Path

import pytest
from serving import Server, Site, eventually
from serving.server import PROGRAMS, ROOT

pytestmark = pytest.mark.process

# In every Python of the server: `silent` names are not answered about, while that
# file is there, and all others in .test are this machine.
NAME_SERVER = """\
import os, socket, time

really = socket.getaddrinfo

def getaddrinfo(host, *more, flags=0, **named):
    if flags & socket.AI_NUMERICHOST or not str(host).endswith(".test"):
        return really(host, *more, flags=flags, **named)
    while os.path.exists("silent"):
        time.sleep(0.1)
    return really("127.0.0.1", *more, flags=flags, **named)

socket.getaddrinfo = getaddrinfo
"""


def start(server: Server, site: Site, *bind: str, wait: bool = True) -> None:
    (server.directory / "sitecustomize.py").write_text(NAME_SERVER)
    site.configure(workers=1, bind=list(bind))
    path = f"{server.directory}:{ROOT}:{PROGRAMS}"
    env = {**site.env, "PYTHONPATH": path}
    server.start(app=site.app, env=env, bind=None, wait=wait)


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


@pytest.fixture
def silent(server: Server) -> Path:
    return server.directory / "silent"


def test_a_name_is_listened_on_after_a_reload(server: Server, site: Site) -> None:
    """Behaviour 30."""
    start(server, site, "127.0.0.1:0")
    site.configure(workers=1, bind=["127.0.0.1:0", "app.test:0"])
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    eventually(lambda: len(re.findall(r"listening on=http://127\.", server.log)) == 2)
    assert server.stop() == 0


@pytest.mark.slow
def test_the_master_goes_on_while_a_name_is_looked_up(
    server: Server, site: Site, silent: Path
) -> None:
    start(server, site, "127.0.0.1:0")
    silent.touch()
    site.configure(workers=1, bind=["127.0.0.1:0", "app.test:0"])
    server.signal(signal.SIGHUP)
    server.wait_log("phase=check")
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_log("started worker(.|\n)*started worker")
    assert server.get()[0] == 200
    assert "reload failed" not in server.log
    told = server.wait_log(r"reload failed phase=(\w+) .*\n  (.*)", within=20)
    assert told[1] == "check"
    assert told[2].startswith("cannot resolve app.test: no answer in 6 s")
    assert server.stop() == 0


@pytest.mark.slow
def test_a_name_that_is_listened_on_already_need_not_be_found(
    server: Server, site: Site, silent: Path
) -> None:
    start(server, site, "app.test:0")
    silent.touch()
    site.publish("2")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit", within=20)
    assert server.get("/version") == (200, b"2")
    assert server.stop() == 0


def test_a_start_that_waits_for_a_name_server_can_be_ended(
    server: Server, site: Site, silent: Path
) -> None:
    silent.touch()
    start(server, site, "app.test:0", wait=False)
    # It has threads only then.
    eventually(lambda: len(os.listdir(f"/proc/{server.pid}/task")) > 1)
    assert server.stop(signal.SIGINT) == 0
    assert server.log == ""
