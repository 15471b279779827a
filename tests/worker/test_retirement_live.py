"""Connections that are kept outlast the worker that has accepted them."""

from collections.abc import Iterator
from contextlib import ExitStack, suppress
from signal import SIGHUP, SIGTERM, SIGWINCH

import pytest
from serving import Server, eventually
from serving.fastcgi import Wire as FastCgi
from serving.fastcgi import begin, connect, get, stream
from serving.wire import Wire as Http

from prefork.protocols import fastcgi_records

pytestmark = [pytest.mark.process, pytest.mark.slow]

OF_EACH_KIND = 100
RELOADS = 20


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Site:
    """A server with a listener for HTTP and one for FastCGI, and a configuration."""

    def __init__(self, server: Server, stack: ExitStack) -> None:
        self.server = server
        self._stack = stack
        self._path = str(server.directory / "app.sock")
        self._reloads = 0

    def start(self, workers: int) -> None:
        self.configure()
        also = ["-w", str(workers), "-b", f"fastcgi+unix:{self._path}"]
        self.server.start("-c", "site.toml", *also)

    def configure(self, *lines: str) -> None:
        text = "\n".join(["keep_alive = 60", *lines])
        (self.server.directory / "site.toml").write_text(text)

    def reload(self) -> None:
        self.begin_reload()
        eventually(self.has_reloaded, within=30)

    def begin_reload(self) -> None:
        self._reloads += 1
        self.server.signal(SIGHUP)

    def has_reloaded(self) -> bool:
        return self.server.log.count("phase=commit") == self._reloads

    def http(self) -> Http:
        return self._stack.enter_context(Http(self.server.connect()))

    def fastcgi(self) -> FastCgi:
        return self._stack.enter_context(connect(self._path))


@pytest.fixture
def site(server: Server, stack: ExitStack) -> Site:
    return Site(server, stack)


def ask(kept: Http | FastCgi) -> int:
    """The pid of who answers."""
    if isinstance(kept, FastCgi):
        kept.send(get("/pid", keep=True))
        return int(kept.read_answer().body)
    kept.request("/pid")
    answer = kept.read_answer()
    assert "close" not in answer.headers.get("connection", "")
    return int(answer.body)


def test_200_of_them_outlast_20_reloads(site: Site) -> None:
    """Behaviour 21: none is reset, whenever it is used."""
    site.start(2)
    kept: list[Http | FastCgi] = []
    for _ in range(OF_EACH_KIND):
        kept += [site.http(), site.fastcgi()]
    assert {ask(each) for each in kept} <= set(site.server.workers())
    for _ in range(RELOADS):
        site.begin_reload()
        while not site.has_reloaded():
            for each in kept[::7]:
                ask(each)
    eventually(lambda: len(site.server.workers()) == 2)
    assert {ask(each) for each in kept} <= set(site.server.workers())
    assert "lost worker" not in site.server.log


@pytest.mark.parametrize("kind", ["http", "fastcgi"])
def test_nobody_waits_for_them(site: Site, kind: str) -> None:
    """The worker leaves at once, however soon the next request may come."""
    site.start(1)
    kept = site.http() if kind == "http" else site.fastcgi()
    old = ask(kept)
    site.reload()
    eventually(lambda: old not in site.server.workers())
    assert [ask(kept)] == list(site.server.workers())


def test_a_request_that_has_begun_is_finished_where_it_was(site: Site) -> None:
    """Behaviour 29: only then its connection goes to another."""
    site.start(1)
    kept, other = site.fastcgi(), site.http()
    old = ask(kept)
    request = begin(keep=True, REQUEST_URI="/pid")
    kept.send(request[:40])
    ask(other)  # by now the worker has read that
    site.reload()
    kept.send(request[40:], stream(fastcgi_records.STDIN))
    assert int(kept.read_answer().body) == old
    eventually(lambda: ask(kept) != old)


def test_who_has_not_said_a_word_yet_is_kept_as_well(site: Site) -> None:
    """Behaviour 21: the request may be on its way, or its sender kept from sending."""
    site.start(1)
    silent = site.http()
    old = ask(site.http())  # whoever came before has been let in by now
    site.reload()
    eventually(lambda: old not in site.server.workers())
    assert [ask(silent)] == list(site.server.workers())


def test_one_that_is_being_answered_is_kept_as_well(site: Site) -> None:
    site.start(1)
    kept = site.http()
    old = ask(kept)
    kept.request("/sleep?s=2")
    site.reload()
    assert "close" not in kept.read_answer().headers.get("connection", "")
    # A request that is there with the answer is served before the master is heard.
    eventually(lambda: ask(kept) != old)


def test_those_of_a_listener_that_is_gone_are_closed(site: Site) -> None:
    """Behaviour 30."""
    site.configure('bind = ["fastcgi+unix:app.sock", "127.0.0.1:0"]')
    site.server.start("-c", "site.toml", "-w", "1", bind=None)
    gone, kept = site.http(), site.fastcgi()
    ask(gone), ask(kept)
    site.configure('bind = ["fastcgi+unix:app.sock"]')
    site.reload()
    gone.end()
    eventually(lambda: len(site.server.workers()) == 1)
    assert [ask(kept)] == list(site.server.workers())


# Without a sibling


@pytest.fixture
def alone(site: Site) -> FastCgi:
    """A connection to a worker that retires after its answer, as all others do."""
    site.start(1)
    kept = site.fastcgi()
    ask(kept)
    site.server.signal(SIGWINCH)
    site.server.wait_log("retiring all workers")
    return kept


def test_it_serves_on_until_there_is_a_pause(alone: FastCgi) -> None:
    """As FastCGI cannot say that an answer is the last one."""
    for _ in range(20):
        assert ask(alone)
    assert alone.read_record() is None  # after two seconds


def test_it_leaves_in_the_pause(alone: FastCgi, server: Server) -> None:
    assert alone.read_record() is None
    eventually(lambda: not server.workers())


def test_nobody_is_lost_when_the_heirs_leave_as_well(site: Site) -> None:
    """Who gives a client away stays until it has come to somebody."""
    site.start(2)
    for _ in range(8):
        kept = [site.fastcgi() for _ in range(6)]
        for each in kept:
            ask(each)
        rolls = site.server.log.count("phase=roll")
        site.server.signal(SIGHUP)
        eventually(lambda: site.server.log.count("phase=roll") > rolls)  # noqa: B023
        site.server.signal(SIGWINCH)
        for _ in range(20):
            for each in kept:
                assert ask(each)
        site.server.signal(SIGHUP)  # all are wanted again
        eventually(lambda: len(site.server.workers()) == 2)


def test_a_stop_waits_for_no_pause(alone: FastCgi, server: Server) -> None:
    server.signal(SIGTERM)
    with suppress(ConnectionError, ValueError):  # it has left between two requests
        while ask(alone):
            pass
    assert server.wait() == 0
