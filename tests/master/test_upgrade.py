"""SIGUSR2: another program in the same process, and nobody notices."""

import os
import re
import resource
import shutil
import signal
import socket
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from serving import Load, Server, Site, eventually

from prefork.master.handover import VERSION

pytestmark = [pytest.mark.process, pytest.mark.slow]

TESTS = Path(__file__).parents[1]
PACKAGE = TESTS.parent / "prefork"
DELAY = 0.25  # seconds; what is wanted is 0.05, for which a machine has to be quiet
BUSY = ["/", "/pid", "/sleep?s=0.005", "/sleep?s=0.05", "/big?size=50000"]
ENTRY = "cli/adopt.py"
IN_EARNEST = (
    'import sys\nif "--rehearse" not in sys.argv:\n    '  # not to see if it would
)
UNTIL_TOLD = """import os, time
    while not os.path.exists("go-on"): time.sleep(0.01)
"""


class Program:
    """A copy of the package, to be changed while a server runs it."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "program"
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PACKAGE, self.path / "prefork", ignore=ignore)
        self.env = {
            "PYTHONPATH": f"{self.path}:{TESTS / 'programs'}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }

    def replace(self, file: str, old: str, new: str) -> None:
        path = self.path / "prefork" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def begin(self, file: str, code: str) -> None:
        """Have the module begin with that code."""
        path = self.path / "prefork" / file
        path.write_text(f"{code}\n{path.read_text()}")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def upgrade(server: Server, times: int = 1) -> None:
    """Ask for an upgrade, and wait until the new program is in charge."""
    before = server.log.count("upgraded master")
    server.signal(signal.SIGUSR2)
    eventually(lambda: server.log.count("upgraded master") > before, within=30)


def descriptors(pid: int) -> Counter[str]:
    """What is open in a process, and how often."""
    names = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    return Counter(re.sub(r"\[\d+\]", "", name) for name in names)


# What stays


def test_an_upgrade_under_load_loses_nothing(server: Server) -> None:
    """Behaviour 34."""
    server.start("-w", "2")
    before = server.workers(), server.template()
    with Load(server, clients=4, paths=BUSY) as load:
        for _ in range(3):
            upgrade(server)
            so_far = load.answered
            eventually(lambda so_far=so_far: load.answered > so_far + 20)
    assert load.failures == []
    assert load.answered > 60
    assert (server.workers(), server.template()) == before
    assert server.processes()[server.pid] == "prefork: master [app:wsgi]"
    assert server.stop() == 0


def test_nobody_waits_for_an_upgrade(server: Server) -> None:
    """Behaviour 34: no longer than under the same load without one."""
    server.start("-w", "2")
    with Load(server, clients=4, paths=BUSY) as calm:
        eventually(lambda: calm.answered > 400, within=60)
    loads = [Load(server, clients=4, paths=BUSY) for _ in range(3)]
    for load in loads:
        with load:
            upgrade(server)
            eventually(lambda load=load: load.answered > 100, within=60)
        assert load.failures == calm.failures == []
    longest = [load.longest for load in loads]
    print(f"longest: {calm.longest:.3f} s, with upgrades {longest} s")
    # All would be longer, otherwise; a busy machine takes its time, now and then.
    assert min(longest) < calm.longest + DELAY


def test_descriptors_are_equal_after_twenty_upgrades(server: Server) -> None:
    """Behaviour 34."""
    server.start("-w", "2", "-p", "pid", "--access-logfile", "access.log")
    before, workers = descriptors(server.pid), server.workers()
    for _ in range(20):
        upgrade(server)
    eventually(lambda: descriptors(server.pid) == before)
    assert server.workers() == workers
    assert server.get()[0] == 200


def test_the_new_program_is_in_charge(server: Server, program: Program) -> None:
    server.start("-w", "1", env=program.env)
    program.replace("__init__.py", '__version__ = "', '__version__ = "99.')
    upgrade(server)
    assert re.search(r"upgraded master pid=\d+ version=99\S+ before=\d\.", server.log)


def test_workers_run_the_new_program_after_the_next_reload(
    server: Server, program: Program
) -> None:
    server.start("-w", "1", env=program.env)
    program.begin("worker/loop.py", 'print("the new loop", flush=True)')
    upgrade(server)
    assert "the new loop" not in server.log
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    server.wait_log("the new loop")
    eventually(lambda: len(server.workers()) == len(server.workers(2)) == 1)


def test_a_reload_instead_of_an_upgrade_is_refused_if_it_does_not_fit(
    server: Server, program: Program
) -> None:
    """A new version that has a setting more is on disk; the master stays."""
    server.start("-w", "1", env=program.env)
    own = "getattr(settings, each.name) for each in fields(Settings)}"
    program.replace("settings/registry.py", own, own + ' | {"new_setting": 1}')
    server.signal(signal.SIGHUP)
    server.wait_log("error reload failed phase=check.*\\n.*`prefork upgrade`")
    assert server.get("/")[0] == 200
    assert server.stop() == 0


def test_nobody_who_is_started_later_has_more_than_before(server: Server) -> None:
    """What came through one exec must not go through the next: a template with the
    channels of others would hide from them that the master has died."""
    server.start("-w", "1", "-p", "pid", "--access-logfile", "access.log")
    before, first = descriptors(server.template()), server.template()
    upgrade(server)
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    eventually(lambda: server.template() != first)
    eventually(lambda: not descriptors(server.template()) - before)


def test_a_worker_is_replaced_by_the_template_of_before(server: Server) -> None:
    server.start("-w", "1")
    (worker,) = server.workers()
    template = server.template()
    upgrade(server)
    os.kill(worker, signal.SIGKILL)
    server.wait_log("lost worker.*SIGKILL from outside")
    eventually(lambda: server.workers() not in ([], [worker]))
    assert server.template() == template


def test_a_template_that_dies_is_replaced(server: Server) -> None:
    server.start("-w", "1")
    template = server.template()
    upgrade(server)
    os.kill(template, signal.SIGKILL)
    eventually(lambda: server.template() not in (0, template))


def test_deadlines_go_on_as_they_were(server: Server) -> None:
    server.start("-w", "1", "-t", "2")
    with server.connect() as client:
        client.sendall(b"GET /sleep?s=60&say=asleep HTTP/1.1\r\nHost: x\r\n\r\n")
        server.wait_log("asleep")
        upgrade(server)
        server.wait_log("killed by prefork: request over its 2 s deadline")
        assert client.recv(65536) == b""


def test_what_signals_have_changed_stays_so(server: Server) -> None:
    server.start("-w", "1")
    server.signal(signal.SIGTTIN)
    eventually(lambda: len(server.workers()) == 2)
    upgrade(server)
    server.signal(signal.SIGWINCH)
    eventually(lambda: server.workers() == [])
    upgrade(server)
    assert server.workers() == []
    server.signal(signal.SIGHUP)
    eventually(lambda: len(server.workers()) == 2)


def test_the_files_of_a_server_stay_its_own(server: Server, tmp_path: Path) -> None:
    """Pid file, socket file and logs: kept, rotated and removed as before."""
    arguments = ["-w", "1", "-p", "pid", "--access-logfile", "access.log"]
    server.start(*arguments, "-b", "unix:sock", bind="127.0.0.1:0")
    upgrade(server)
    assert (tmp_path / "pid").read_text() == f"{server.pid}\n"
    assert server.get()[0] == 200
    (tmp_path / "access.log").rename(tmp_path / "access.log.1")
    server.signal(signal.SIGUSR1)
    eventually(lambda: (tmp_path / "access.log").exists())
    assert server.get("/pid")[0] == 200
    eventually(lambda: "GET /pid" in (tmp_path / "access.log").read_text())
    assert "GET / " in (tmp_path / "access.log.1").read_text()
    assert server.stop() == 0
    assert not (tmp_path / "pid").exists()
    assert not (tmp_path / "sock").exists()


def test_an_upgraded_server_reloads_and_stops_as_ever(
    server: Server, site: Site
) -> None:
    server.start("-w", "2", app=site.app, env=site.env)
    upgrade(server)
    site.publish("2")
    with Load(server, clients=2, paths=["/", "/version"]) as load:
        server.signal(signal.SIGHUP)
        server.wait_log("phase=commit")
        eventually(lambda: server.get("/version") == (200, b"2"))
        assert server.stop() == 0
    assert load.cut == []


def test_new_code_stays_on_probation(server: Server, site: Site) -> None:
    """The template of the code before it is kept, and goes back to it."""
    server.start("-w", "1", app=site.app, env=site.env)
    site.publish("2")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    upgrade(server)
    crashed = 0
    while "phase=probation" not in server.log:
        eventually(lambda: server.workers(2) or "phase=probation" in server.log)
        for worker in server.workers(2):
            os.kill(worker, signal.SIGKILL)
        crashed += 1
        eventually(lambda count=crashed: server.log.count("lost worker") >= count)
    eventually(lambda: server.get("/version") == (200, b"1"))
    assert len(server.workers(1)) == 1


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


# While nobody watches


def test_a_worker_that_dies_during_exec_is_noticed(
    server: Server, program: Program
) -> None:
    """Behaviour 36; the other one goes on serving."""
    server.start("-w", "2", env=program.env)
    program.begin(ENTRY, IN_EARNEST + UNTIL_TOLD)
    victim, other = server.workers()
    server.signal(signal.SIGUSR2)
    server.wait_log("upgrading phase=exec")
    os.kill(victim, signal.SIGKILL)
    assert server.get("/pid") == (200, str(other).encode())
    assert "upgraded master" not in server.log
    (server.directory / "go-on").touch()
    server.wait_log("upgraded master")
    server.wait_log(f"lost worker cause=.SIGKILL from outside.* pid={victim} ")
    eventually(lambda: len(server.workers()) == 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_comes_during_exec_is_obeyed(
    server: Server, program: Program, number: int
) -> None:
    server.start("-w", "2", env=program.env)
    program.begin(ENTRY, IN_EARNEST + "import time; time.sleep(1)")
    server.signal(signal.SIGUSR2)
    server.wait_log("upgrading phase=exec")
    assert server.stop(number) == 0
    assert "upgraded master" in server.log


def test_a_program_that_crashes_at_once_leaves_no_one_behind(
    server: Server, program: Program
) -> None:
    """Behaviour 37: who is served is answered, who is queued is served by the next."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server.start("-w", "1", env=program.env, **passing(listener))
        server.port = listener.getsockname()[1]
        intact = (program.path / "prefork" / ENTRY).read_text()
        program.begin(ENTRY, IN_EARNEST + "import os; os.abort()")
        with server.connect() as client, ExitStack() as later:
            client.sendall(b"GET /hold?say=holding&until=released HTTP/1.1\r\n")
            client.sendall(b"Host: x\r\n\r\n")
            server.wait_log("holding")
            queued = later.enter_context(server.connect())
            server.signal(signal.SIGUSR2)
            assert server.wait() == -signal.SIGABRT
            (server.directory / "released").touch()
            assert b"held" in client.recv(65536)
            eventually(lambda: server.processes() == {})
            with server.connect() as late:
                (program.path / "prefork" / ENTRY).write_text(intact)
                server.start("-w", "1", env=program.env, **passing(listener))
                for each in (queued, late):
                    each.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert b"hello" in late.recv(65536)
    assert server.stop() == 0


def passing(listener: socket.socket) -> dict[str, object]:
    """How to start a server on a socket that stays open without it."""
    fd = listener.fileno()
    return {"bind": f"fd://{fd}", "pass_fds": [fd]}


# What changes nothing


def assert_nothing_changes(server: Server, *, why: str) -> None:
    before, family = descriptors(server.pid), (server.workers(), server.template())
    with Load(server, clients=2) as load:
        server.signal(signal.SIGUSR2)
        server.wait_log(rf'upgrade failed phase=check keeping="old program"\n.*{why}')
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 20)
    assert load.failures == []
    eventually(lambda: not descriptors(server.pid) - before)
    assert (server.workers(), server.template()) == family
    assert "upgraded" not in server.log


@pytest.mark.parametrize("file", ["__init__.py", ENTRY, "master/master.py"])
def test_a_program_that_cannot_be_imported(
    server: Server, program: Program, file: str
) -> None:
    """Behaviour 35: its traceback is in the log."""
    server.start("-w", "1", env=program.env)
    program.begin(file, 'raise RuntimeError("half installed")')
    assert_nothing_changes(server, why=r"(.*\n)*?  RuntimeError: half installed")


def test_a_program_that_is_not_there(server: Server, program: Program) -> None:
    """Behaviour 35."""
    server.start("-w", "1", env=program.env)
    (program.path / "prefork" / ENTRY).unlink()
    assert_nothing_changes(server, why="No module named prefork.cli.adopt")


def test_a_program_that_does_not_understand_what_it_is_handed(
    server: Server, program: Program
) -> None:
    """Behaviour 35: it rehearses all of it."""
    server.start("-w", "1", env=program.env)
    program.replace("master/roster.py", "    slot: int\n", "    seat: int\n")
    assert_nothing_changes(server, why="(.*\n)*?  TypeError: .*slot")


def test_a_program_that_hangs(server: Server, program: Program) -> None:
    """Behaviour 35."""
    program.replace("master/upgrade.py", "TIMEOUT = 30.0", "TIMEOUT = 0.5")
    server.start("-w", "1", env=program.env)
    program.begin(ENTRY, "import time; time.sleep(60)")
    assert_nothing_changes(server, why="the new program was not ready in 0.5 s")


def test_a_master_without_descriptors(server: Server) -> None:
    """Behaviour 35: it can neither ask nor hand over."""
    server.start("-w", "1")
    before = resource.prlimit(server.pid, resource.RLIMIT_NOFILE)
    used = sum(descriptors(server.pid).values())
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, (used, before[1]))
    assert_nothing_changes(server, why="cannot start a process: Too many open files")
    resource.prlimit(server.pid, resource.RLIMIT_NOFILE, before)
    upgrade(server)


def test_another_version_of_the_state_is_refused_before_exec(
    server: Server, program: Program
) -> None:
    """Behaviour 38."""
    server.start("-w", "1", env=program.env)
    ours, other = f"VERSION = {VERSION}\n", "VERSION = 99\n"
    program.replace("master/handover.py", ours, other)
    why = f"state of version {VERSION}, .* reads version 99"
    assert_nothing_changes(server, why=why)
    program.replace("master/handover.py", other, ours)
    upgrade(server)


# Beside a reload, or a stop


def test_an_upgrade_waits_for_a_reload(server: Server, site: Site) -> None:
    server.start("-w", "1", app=site.app, env=site.env)
    site.publish("2", "import time; time.sleep(1)")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=boot")
    upgrade(server)
    assert server.log.index("phase=commit") < server.log.index("upgrading phase=check")
    assert server.get("/version") == (200, b"2")


def test_a_reload_waits_for_an_upgrade(server: Server, site: Site) -> None:
    """And is not forgotten in it."""
    server.start("-w", "1", app=site.app, env=site.env)
    server.signal(signal.SIGUSR2)
    server.wait_log("upgrading phase=check")
    site.publish("2")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    assert server.log.index("upgraded master") < server.log.index("reloading phase")
    assert server.get("/version") == (200, b"2")


def test_a_stop_does_not_wait_for_an_upgrade(server: Server, program: Program) -> None:
    server.start("-w", "1", env=program.env)
    program.begin(ENTRY, "import time; time.sleep(60)")
    server.signal(signal.SIGUSR2)
    server.wait_log("upgrading phase=check")
    assert server.stop() == 0
    assert "info gave up upgrade phase=check\n" in server.log
    assert " error " not in server.log
    eventually(lambda: server.processes() == {})


def test_an_upgrade_before_the_first_worker_is_ready_waits_for_it(
    server: Server, site: Site
) -> None:
    site.publish("1", "import time; time.sleep(0.5)")
    server.start("-w", "1", app=site.app, env=site.env, wait=False)
    server.wait_log("listening")
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master")
    assert server.log.index("started worker") < server.log.index("upgrading")
    server.wait_ready()
    assert server.get("/version") == (200, b"1")
