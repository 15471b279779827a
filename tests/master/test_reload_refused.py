"""SIGHUP with bad code or a bad configuration: the old goes on, the log says why."""

import os
import re
import signal

import pytest
from serving import Load, Server, Site, eventually

pytestmark = pytest.mark.process


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


def start(server: Server, site: Site, *arguments: str) -> None:
    server.start("-w", "2", *arguments, app=site.app, env=site.env)


def refuse(server: Server, *, within: float = 20.0) -> str:
    """Ask for a reload that cannot succeed; why it did not, by the log.

    Nobody may notice: not a request fails, no worker is replaced.
    """
    workers = server.workers()
    seen = server.log.count("reload failed")
    with Load(server, paths=["/", "/version"]) as load:
        server.signal(signal.SIGHUP)
        eventually(lambda: server.log.count("reload failed") > seen, within=within)
        so_far = load.answered
        eventually(lambda: load.answered > so_far + 20)
        assert set(workers) <= set(server.workers())
    assert load.failures == []
    assert load.bodies["/version"] == {b"1"}
    return server.wait_log(r"error reload failed .*\n(  .*\n)*")[0]


def accept(server: Server, site: Site) -> None:
    """After all that, good code is still welcome."""
    site.publish("good")
    server.signal(signal.SIGHUP)
    eventually(lambda: server.get("/version") == (200, b"good"))
    server.wait_log("phase=commit")
    eventually(lambda: len(server.workers()) == 2)
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("def broken(:", r'site_app.py", line 3(.|\n)*SyntaxError'),
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        # Long, and of characters that are longer still on their way to the master.
        (
            "raise RuntimeError('\N{CJK UNIFIED IDEOGRAPH-5B57}' * 50_000)",
            r"\u5b57{99}",
        ),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("import os; os._exit(3)", "template died while .*: exit code 3"),
        ("import os; os.abort()", "template died while .*: SIGABRT"),
        ("import sys; sys.exit('no')", "SystemExit: no"),
    ],
)
def test_code_that_cannot_be_imported(
    server: Server, site: Site, code: str, reason: str
) -> None:
    """Behaviour 22."""
    start(server, site)
    site.publish("2", code)
    told = refuse(server)
    assert "phase=boot" in told and re.search(reason, told)
    accept(server, site)


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise RuntimeError('not today')", "RuntimeError: not today"),
        ("import os; os._exit(3)", "a new worker died: exit code 3"),
    ],
)
def test_code_that_a_worker_cannot_import(
    server: Server, site: Site, code: str, reason: str
) -> None:
    """Behaviour 22, without preloading: the template has nothing to say."""
    start(server, site, "--no-preload")
    site.publish("2", code)
    told = refuse(server)
    assert "phase=canary" in told and reason in told
    accept(server, site)


@pytest.mark.slow
@pytest.mark.parametrize("preload", ["--preload", "--no-preload"])
def test_an_import_that_hangs(server: Server, site: Site, preload: str) -> None:
    """Behaviour 24: and its stacks say where."""
    start(server, site, preload, "--boot-timeout", "4")
    site.publish("2", "def wait(): import time; time.sleep(3600)\nwait()")
    refuse(server)
    assert re.search(r'site_app.py", line \d+ in wait', server.log)
    eventually(lambda: len(server.processes()) == 4)  # master, template, workers
    accept(server, site)


def test_a_canary_that_answers_500(server: Server, site: Site) -> None:
    """Behaviour 23."""
    start(server, site, "--canary-path", "/health")
    site.publish("2", "HEALTH = '500 Internal Server Error'")
    told = refuse(server)
    assert "phase=canary" in told
    assert "canary failed: /health answered HTTP/1.1 500" in told
    accept(server, site)


def test_a_canary_that_dies(server: Server, site: Site) -> None:
    """Behaviour 23: that it hangs up is not the cause."""
    start(server, site, "--canary-path", "/leave")
    told = refuse(server)
    assert "phase=canary" in told
    assert "a new worker died: exit code 3, serving GET /leave\n" in told
    assert server.stop() == 0


def test_a_canary_that_never_comes_to_the_application(
    server: Server, site: Site
) -> None:
    """Behaviour 23: a 414 of the worker's own says nothing of the new code."""
    path = "/" + "x" * 100
    start(server, site, "--canary-path", path, "--limit-request-line", "60")
    told = refuse(server)
    assert "phase=canary" in told
    assert "refused before the application was asked" in told
    assert server.stop() == 0


@pytest.mark.slow
def test_a_canary_that_does_not_answer(server: Server, site: Site) -> None:
    """Behaviour 23."""
    start(server, site, "--canary-path", "/sleep?s=7")
    told = refuse(server)
    assert "was not answered in 5 s" in told
    assert server.stop() == 0


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("workers = 'many'\n", "prefork.toml:1: workers: 'many'"),
        ("workers = \n", "prefork.toml:1: it is not TOML"),
        ("wrokers = 2\n", "did you mean workers?"),
        ('bind = ["127.0.0..1:8000"]\n', "nothing between two dots"),
        ("backlog = 2147483648\n", "2147483648 is more than 2147483647"),
        ('canary_path = "/€"\n', "%E2%82%AC"),
        ('user = "no-such-user"\n', "unknown user 'no-such-user'"),
        ('access_logfile = "/no/such/place"\n', "cannot open log file /no/such/place"),
        ('chdir = "/no/such/place"\n', "cannot change to directory '/no/such/place'"),
    ],
)
def test_a_broken_configuration(
    server: Server, site: Site, text: str, reason: str
) -> None:
    """Behaviour 3, at a reload."""
    start(server, site)
    path = server.directory / "prefork.toml"
    path.write_text(text)
    assert reason in refuse(server)
    path.unlink()
    accept(server, site)


def test_an_address_that_cannot_be_had(server: Server, site: Site) -> None:
    """Behaviour 30: the listeners that we have stay as they are."""
    site.configure(workers=2, bind=["127.0.0.1:0"])
    server.start(app=site.app, env=site.env, bind=None)
    site.configure(workers=2, bind=["127.0.0.1:0", "192.0.2.1:80"])
    assert "cannot bind 192.0.2.1:80" in refuse(server)
    site.configure(workers=2, bind=["127.0.0.1:0"])
    accept(server, site)


def test_a_template_that_is_killed_while_it_boots(server: Server, site: Site) -> None:
    start(server, site)
    site.publish("2", "import time; time.sleep(60)")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=boot")
    eventually(lambda: server.template() and titled(server, "template gen 2"))
    os.kill(titled(server, "template gen 2"), signal.SIGKILL)
    server.wait_log(r"reload failed phase=boot .*\n.*died while .*: SIGKILL")
    accept(server, site)


def test_a_template_that_is_killed_after_it_has_loaded(
    server: Server, site: Site
) -> None:
    """Another one would import what is published by then, and nobody has tried it."""
    server.start("-w", "2", "--bake", "30", app=site.app, env=site.env)
    site.publish("2")
    server.signal(signal.SIGHUP)
    server.wait_log("started worker .* generation=2")
    site.publish("3")
    os.kill(titled(server, "template gen 2"), signal.SIGKILL)
    server.wait_log(r"reload failed phase=canary .*\n.*died while running: SIGKILL")
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 2)
    assert server.get("/version") == (200, b"1")


def titled(server: Server, words: str) -> int:
    """The process whose title has these words; 0 if there is none yet."""
    found = (pid for pid, title in server.processes().items() if words in title)
    return next(found, 0)


def test_a_canary_worker_that_is_killed(server: Server, site: Site) -> None:
    start(server, site, "--canary-path", "/sleep?s=60&say=asleep")
    server.signal(signal.SIGHUP)
    server.wait_log("asleep")
    os.kill(server.workers(2)[0], signal.SIGKILL)
    server.wait_log(r"reload failed phase=canary ")
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 2)
    assert server.stop() == 0
