"""The control socket: answers in no time, and waits for nobody."""

import json
import os
import re
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from serving import Load, Server, Site, eventually
from serving.eventually import PATIENCE

from prefork.cli.calling import RunningMaster, ask, follow
from prefork.errors import CommandError
from prefork.system.local import connect

pytestmark = pytest.mark.process

AT_ONCE = PATIENCE  # seconds: it takes milliseconds, but this machine may be busy
GET = b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n"

# An import that takes until it is told to go on.
WAITS = """
import os, time
open("begun", "w").close()
while not os.path.exists("go-on"):
    time.sleep(0.01)
"""


def master_of(server: Server) -> RunningMaster:
    return RunningMaster(f"@prefork/{server.pid}", server.pid)


def status_of(server: Server) -> dict[str, Any]:
    return ask(master_of(server), "status")


def call(server: Server) -> socket.socket:
    """A caller who has not asked yet."""
    return connect(f"@prefork/{server.pid}", timeout=10)


def read_all(caller: socket.socket) -> bytes:
    data = b""
    try:
        while part := caller.recv(65536):
            data += part
    except ConnectionResetError:
        pass  # it has closed without reading what we had sent too much
    return data


def say(server: Server, question: bytes) -> Any:
    """One question as it is; the answer."""
    with call(server) as caller:
        caller.sendall(question)
        return json.loads(read_all(caller))


# Status


def test_status_tells_who_and_where(server: Server) -> None:
    server.start("-w", "2", "-n", "shop")
    status = status_of(server)
    assert (status["pid"], status["name"], status["app"]) == (
        server.pid,
        "shop",
        "app:wsgi",
    )
    assert status["state"] == "serving"
    assert status["binds"] == [{"url": f"http://127.0.0.1:{server.port}", "queue": 0}]
    assert (status["workers"]["wanted"], status["workers"]["serving"]) == (2, 2)
    assert {slot["pid"] for slot in status["slots"]} == set(server.workers())
    assert status["reload"] == {"phase": None, "cause": None, "last": None}
    assert server.stop() == 0


def test_status_shows_what_each_worker_serves(server: Server) -> None:
    server.start("-w", "2")
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        server.wait_log("asleep")
        busy, idle = sorted(status_of(server)["slots"], key=lambda slot: slot["state"])
    assert (busy["state"], idle["state"]) == ("busy", "idle")
    assert busy["request"] == "127.0.0.1 GET /sleep?s=60&say=asleep"
    assert 0 <= busy["request_seconds"] < 30
    assert idle["request_seconds"] is None


def test_status_counts_requests_and_errors(server: Server) -> None:
    server.start("-w", "2")
    before = status_of(server)["totals"]
    for path in ("/", "/fail", "/"):
        server.get(path)
    server.raw(b"nonsense\r\n\r\n")
    # A worker counts a request when it is over, which its client knows before.
    after = eventually(
        lambda: (
            (totals := status_of(server)["totals"])["requests"] == 3
            and totals["errors"] == 2
            and totals
        )
    )
    assert before["requests"] == before["errors"] == 0
    assert after["sent"] > 0 and after["busy_seconds"] > 0
    assert 0 < status_of(server)["latency"]["p50"] < 60


def test_status_answers_when_every_worker_is_stuck(server: Server) -> None:
    """Behaviour 72: in C code with the interpreter's lock, or deaf to signals."""
    server.start("-w", "2", "-t", "60")
    with ExitStack() as stack:
        for path in (b"/spin", b"/deaf"):
            client = stack.enter_context(server.connect())
            client.sendall(GET % path)
        eventually(lambda: status_of(server)["workers"]["busy"] == 2)
        for _ in range(20):
            before = time.monotonic()
            assert status_of(server)["workers"]["busy"] == 2
            assert time.monotonic() - before < AT_ONCE
    server.signal(signal.SIGINT)
    server.wait()


def test_status_answers_when_workers_are_stopped(server: Server) -> None:
    """Behaviour 72."""
    server.start("-w", "2")
    workers = server.workers()
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    before = time.monotonic()
    assert status_of(server)["workers"]["serving"] == 2
    assert time.monotonic() - before < AT_ONCE
    for pid in workers:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.slow
def test_totals_never_go_back_and_states_add_up(server: Server) -> None:
    """Behaviour 70: under load, while workers are killed and a reload runs."""
    server.start("-w", "3")
    statuses = []
    with Load(server, clients=4, keep_alive=False) as load:
        for turn in range(60):
            statuses.append(status_of(server))
            if turn % 20 == 5:
                os.kill(server.workers()[0], signal.SIGKILL)
            if turn == 30:
                server.signal(signal.SIGHUP)
            time.sleep(0.03)  # the subject: what happens meanwhile
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 100)
    statuses.append(status_of(server))
    for name in ("requests", "errors", "sent", "busy_seconds"):
        values = [status["totals"][name] for status in statuses]
        assert values == sorted(values), name
    # Answered and not counted are those whose worker was killed in between.
    # And the last ones, whose clients know before the scoreboard does.
    eventually(lambda: status_of(server)["totals"]["requests"] >= load.answered - 3)
    for status in statuses:
        workers = status["workers"]
        parts = workers["serving"] + workers["starting"] + workers["leaving"]
        assert parts == len(status["slots"])
        assert workers["busy"] <= len(status["slots"])


def test_the_log_tells_who_has_asked_for_what(server: Server) -> None:
    server.start("-w", "1")
    say(server, b'{"verb": "scale", "workers": "+1", "note": "\\n2026 forged"}\n')
    status_of(server)
    (line,) = (each for each in server.log.splitlines() if "received command" in each)
    assert "verb=scale" in line and f"pid={os.getpid()} uid={os.geteuid()}" in line


# Callers who do not behave


@pytest.mark.parametrize(
    ("question", "error"),
    [
        (b"hello?\n", "that is not JSON"),
        (b"\xff\xfe\n", "that is not JSON"),
        (b"\n", "that is not JSON"),
        (b"[" * 4000 + b"\n", "that is not JSON"),
        (b"1\n", "write {"),
        (b"[1]\n", "write {"),
        (b"{}\n", "write {"),
        (b'{"verb": []}\n', "write {"),
        (b'{"verb": "explode"}\n', "there are status, reload"),
        (b'{"verb": "scale"}\n', "is not a whole number"),
        (b'{"verb": "scale", "workers": {}}\n', "is not a whole number"),
        (b'{"verb": "scale", "workers": "0"}\n', "0 is less than 1"),
        (b'{"verb": "scale", "workers": "-1"}\n', "cannot scale by -1"),
        (b'{"verb": "scale", "pid": 1, "event": 2, "": 3}\n', "is not a whole number"),
        (b'{"verb": "dump", "slot": [1]}\n', "no worker in slot"),
        (b'{"verb": "dump", "slot": 7}\n', "no worker in slot 7"),
        (b"x" * 9000, "4096 bytes at most"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_nonsense_is_answered_by_an_error(
    nonsense_server: Server, question: bytes, error: str
) -> None:
    """Behaviour 82."""
    assert error in say(nonsense_server, question)["error"]


@pytest.fixture(scope="module")
def nonsense_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all nonsense: it must survive it."""
    server = Server(tmp_path_factory.mktemp("nonsense"))
    server.start("-w", "1")
    yield server
    assert status_of(server)["workers"]["serving"] == 1
    assert server.stop() == 0
    assert not server.clean_up()


@pytest.mark.slow
def test_half_a_question_keeps_nobody_waiting(server: Server) -> None:
    """Behaviour 82."""
    server.start("-w", "1")
    with ExitStack() as stack:
        callers = [stack.enter_context(call(server)) for _ in range(20)]
        for caller in callers[:10]:
            caller.sendall(b'{"verb": "sta')
        before = time.monotonic()
        assert status_of(server)["state"] == "serving"
        assert server.get("/")[0] == 200
        assert time.monotonic() - before < AT_ONCE
        for caller in callers:  # they are left after some seconds
            assert read_all(caller) == b""


@pytest.mark.slow
def test_who_does_not_read_keeps_nobody_waiting(server: Server) -> None:
    """Behaviour 82: with an answer that no socket takes at once."""
    server.start("-w", "100", "--backlog", "16")
    for _ in range(200):  # long requests, to be shown in the answer
        server.raw(b"GET /%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % PATH)
    with ExitStack() as stack:
        callers = []
        for _ in range(20):
            caller = stack.enter_context(call(server))
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            caller.sendall(b'{"verb": "status"}\n')
            callers.append(caller)
        before = time.monotonic()
        assert len(status_of(server)["slots"]) == 100
        assert time.monotonic() - before < AT_ONCE
        slow_reader = callers[0]
        assert len(json.loads(read_all(slow_reader))["slots"]) == 100
    assert server.get("/")[0] == 200


PATH = b"x" * 300


def test_a_hundred_callers_at_once_are_fine(server: Server) -> None:
    """Behaviour 82."""
    server.start("-w", "1")
    with ExitStack() as stack:
        callers = [stack.enter_context(call(server)) for _ in range(100)]
        for caller in callers:
            caller.sendall(b'{"verb": "status"}\n')
        answers = [json.loads(read_all(caller)) for caller in callers]
    assert [answer["pid"] for answer in answers] == [server.pid] * 100


@pytest.mark.slow
def test_a_crowd_of_silent_callers_is_let_in_by_and_by(server: Server) -> None:
    """Behaviour 82: more than the master will have at once."""
    server.start("-w", "1")
    before = len(os.listdir(f"/proc/{server.pid}/fd"))
    with ExitStack() as stack:
        for _ in range(250):
            stack.enter_context(call(server))
        assert status_of(server)["pid"] == server.pid
        assert len(os.listdir(f"/proc/{server.pid}/fd")) <= before + 200
    eventually(lambda: len(os.listdir(f"/proc/{server.pid}/fd")) == before)


def test_callers_who_hang_up_leave_nothing_behind(server: Server) -> None:
    """Behaviour 82."""
    server.start("-w", "1")
    descriptors = Path(f"/proc/{server.pid}/fd")
    before = len(list(descriptors.iterdir()))
    for question in (b"", b"half", b'{"verb": "status"}\n', b'{"verb": "reload"}\n'):
        call(server).close()
        with call(server) as caller:
            caller.sendall(question)
    with call(server) as caller:
        caller.sendall(b'{"verb": "reload", "wait": true}\n')
    server.wait_log("phase=commit")
    eventually(lambda: status_of(server)["reload"]["phase"] is None)
    # The old template and its channel are kept for a while.
    eventually(lambda: len(list(descriptors.iterdir())) <= before + 4)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_another_user_is_not_heard(server: Server) -> None:
    server.start("-w", "1")
    ours, theirs = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            os.setuid(65534)
            os.write(theirs, read_all(call(server)))
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    os.close(theirs)
    with os.fdopen(ours) as answer:
        assert "user 65534 may not" in json.loads(answer.read())["error"]


# Where it is


def test_a_path_is_for_its_owner_alone_and_goes_with_the_server(server: Server) -> None:
    path = server.directory / "control"
    server.start("-w", "1", "--control", str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert ask(RunningMaster(str(path), server.pid), "status")["pid"] == server.pid
    assert server.stop() == 0
    assert not path.exists()


def test_it_can_be_done_without(server: Server) -> None:
    server.start("-w", "1", "--control", "none")
    with pytest.raises(CommandError, match="no master listens"):
        status_of(server)


def test_a_path_that_cannot_be_is_refused_at_the_start(server: Server) -> None:
    server.start("--control", "/nonexistent/control", wait=False)
    assert server.wait() == 1
    assert "cannot bind unix:/nonexistent/control" in server.log


def test_workers_and_templates_do_not_have_it(server: Server) -> None:
    server.start("-w", "1")
    with open("/proc/net/unix") as table:
        (line,) = (line for line in table if line.endswith(f"@prefork/{server.pid}\n"))
    link = f"socket:[{line.split()[6]}]"

    def has_it(pid: int) -> bool:
        folder = Path(f"/proc/{pid}/fd")
        return link in {os.readlink(fd) for fd in folder.iterdir()}

    assert [pid for pid in server.processes() if has_it(pid)] == [server.pid]


# Reload


@pytest.fixture
def site(server: Server) -> Site:
    site = Site(server.directory)
    server.start("-w", "3", app=site.app, env=site.env)
    return site


def reload(server: Server) -> list[dict[str, Any]]:
    return list(follow(master_of(server), "reload", wait=True))


def test_a_reload_is_told_to_its_end(server: Server, site: Site) -> None:
    site.publish("2")
    *story, end = reload(server)
    assert end["done"] and end["status"] == 0 and end["generation"] == 2
    phases = list(dict.fromkeys(line["phase"] for line in story))
    assert phases[0] == "check" and phases[-1] == "roll"
    assert server.get("/version") == (200, b"2")
    last = status_of(server)["reload"]["last"]
    assert (last["status"], last["phase"], last["generation"]) == (0, "commit", 2)


def test_a_reload_that_fails_tells_why(server: Server, site: Site) -> None:
    site.publish("2", "1 / 0")
    end = reload(server)[-1]
    assert end["done"] and end["status"] == 70 and end["phase"] == "boot"
    assert "ZeroDivisionError" in end["text"]
    assert "ZeroDivisionError" in status_of(server)["reload"]["last"]["text"]
    assert server.get("/version") == (200, b"1")


def test_a_reload_with_bad_settings_tells_which(server: Server, site: Site) -> None:
    site.configure(workers="many")
    end = reload(server)[-1]
    assert (end["status"], end["phase"]) == (78, "check")
    assert "workers" in end["text"]


def test_who_asks_during_a_reload_waits_for_the_next(
    server: Server, site: Site
) -> None:
    site.publish("2", WAITS)
    server.signal(signal.SIGHUP)
    eventually((server.directory / "begun").exists)
    site.publish("3")
    story = follow(master_of(server), "reload", wait=True)
    assert next(story)["phase"] == "wait"
    (server.directory / "go-on").touch()
    *_, end = story
    assert end["status"] == 0 and end["generation"] == 3
    assert server.get("/version") == (200, b"3")


def test_two_who_ask_together_hear_the_same(server: Server, site: Site) -> None:
    first, second = (follow(master_of(server), "reload", wait=True) for _ in range(2))
    next(first), next(second)
    ends = [list(first)[-1], list(second)[-1]]
    assert [end["status"] for end in ends] == [0, 0]


def test_a_reload_that_a_stop_ends_is_given_up(server: Server, site: Site) -> None:
    site.publish("2", "import time; time.sleep(60)")
    story = follow(master_of(server), "reload", wait=True)
    next(story)
    server.wait_log("phase=boot")
    server.signal(signal.SIGTERM)
    end = list(story)[-1]
    assert (end["status"], end["phase"]) == (1, "stop")
    assert end["text"] == "the server is stopping"
    assert server.wait() == 0
    assert "info gave up reload phase=boot\n" in server.log
    assert " error " not in server.log


def test_a_reload_can_be_asked_for_without_waiting(server: Server, site: Site) -> None:
    site.publish("2")
    assert list(follow(master_of(server), "reload")) == [{"asked": True}]
    eventually(lambda: server.get("/version") == (200, b"2"))


# The other verbs


def test_scale(server: Server) -> None:
    server.start("-w", "2")
    master = master_of(server)
    assert ask(master, "scale", workers="+1") == {"workers": "3", "before": "2"}
    eventually(lambda: len(server.workers()) == 3)
    assert ask(master, "scale", workers="1") == {"workers": "1", "before": "3"}
    eventually(lambda: len(server.workers()) == 1)
    assert ask(master, "scale", workers="2:4") == {"workers": "2:4", "before": "1"}
    eventually(lambda: len(server.workers()) >= 2)


def test_dump_shows_where_a_worker_is(server: Server) -> None:
    server.start("-w", "1")
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        server.wait_log("asleep")
        (worker,) = ask(master_of(server), "dump")["workers"]
        assert worker == {"slot": 0, "pid": server.workers()[0]}
        server.wait_log(r'File ".*app.py", line \d+ in sleep')
    assert server.workers() == [worker["pid"]]


def test_dump_of_one_slot_is_of_that_one(server: Server) -> None:
    server.start("-w", "3")
    dumped = ask(master_of(server), "dump", slot=1)["workers"]
    assert [worker["slot"] for worker in dumped] == [1]
    server.wait_log("most recent call first")


@pytest.mark.slow
def test_dump_spares_a_worker_that_is_not_ready_for_it(server: Server) -> None:
    """Before it listens for the signal, that would kill it."""
    program = "import time; time.sleep(1.5)\nimport app\nwsgi = app.wsgi\n"
    (server.directory / "slow_app.py").write_text(program)
    server.start("-w", "2", "--no-preload", app="slow_app:wsgi", wait=False)
    server.wait_log("started master")
    for _ in range(20):
        ask(master_of(server), "dump")
        time.sleep(0.05)  # the subject: it must not matter when
    server.wait_ready()
    assert "lost worker" not in server.log
    assert len(ask(master_of(server), "dump")["workers"]) == 2


def test_reopen(server: Server) -> None:
    log = server.directory / "error.log"
    server.start("-w", "1", "--error-logfile", str(log), wait=False)
    eventually(lambda: "ready" in log.read_text())
    log.rename(server.directory / "error.log.1")
    assert ask(master_of(server), "reopen") == {"files": ["error"]}
    assert log.exists()


def test_stop_is_told_to_its_end(server: Server) -> None:
    server.start("-w", "2")
    with server.connect() as client:
        client.sendall(GET % b"/hold?say=holding&until=released")
        server.wait_log("holding")
        story = follow(master_of(server), "stop", wait=True)
        first = next(story)
        (server.directory / "released").touch()
        *rest, end = story
        assert b"held" in client.recv(65536)
    assert {line["phase"] for line in (first, *rest)} == {"stop"}
    assert first["workers"] == 2 and first["busy"] == 1
    assert end == {"done": True, "status": 0, "text": ""}
    assert server.wait() == 0


def test_stop_tells_how_many_requests_were_cut(server: Server) -> None:
    server.start("-w", "1")
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        server.wait_log("asleep")
        story = follow(master_of(server), "stop", wait=True)
        assert next(story)["workers"] == 1
        ask(master_of(server), "stop")  # again, and not quick: it hurries nobody
        assert ask(master_of(server), "status")["state"] == "stopping"
        ask(master_of(server), "stop", quick=True)
        assert list(story)[-1] == {"done": True, "status": 75, "text": CUT}
    assert server.wait() == 75


CUT = "requests cut: 1"


def test_a_reload_is_refused_when_the_server_stops(server: Server) -> None:
    server.start("-w", "1")
    with server.connect() as client:
        client.sendall(GET % b"/sleep?s=60&say=asleep")
        server.wait_log("asleep")
        ask(master_of(server), "stop")
        with pytest.raises(CommandError, match="the server is stopping"):
            ask(master_of(server), "reload")
        ask(master_of(server), "stop", quick=True)
    assert server.wait() == 75


def test_an_upgrade_keeps_it(server: Server) -> None:
    server.start("-w", "1")
    server.get("/")
    eventually(lambda: status_of(server)["totals"]["requests"] == 1)
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master")
    status = eventually(lambda: status_of(server))
    assert (status["pid"], status["totals"]["requests"]) == (server.pid, 1)
    assert re.search("started master", server.log)
