"""What nobody has foreseen: logged, a reload in it undone, and the loop goes on."""

import os
import signal
from collections.abc import Callable

import pytest
from serving import Server, Site, eventually

from prefork.errors import ConfigError
from prefork.master.backstop import LONGEST_PAUSE, MOST_AT_A_STOP, Backstop

process = pytest.mark.process


class FakeLog:
    def __init__(self) -> None:
        self.lines: list[str] = []

    def critical(self, event: str, *, text: str) -> None:
        self.lines.append(f"{event}: {text}")


class Bench:
    """A backstop, and what it does."""

    def __init__(self) -> None:
        self.log = FakeLog()
        self.undone: list[tuple[str, int]] = []
        self.pauses: list[float] = []
        self.is_proven = True
        self.is_stopping = False
        self.backstop = Backstop(
            self.log,  # type: ignore[arg-type]
            is_needed=lambda: self.is_proven,
            is_stopping=lambda: self.is_stopping,
            undo=lambda reason, status: self.undone.append((reason, status)),
            sleep=self.pauses.append,
        )

    def fail(self, error: BaseException) -> None:
        with self.backstop:
            raise error


def test_an_error_is_logged_and_what_goes_on_is_undone() -> None:
    bench = Bench()
    bench.fail(OverflowError("so large"))
    assert "Traceback" in bench.log.lines[0]
    reason = "the master failed: OverflowError: so large (the log has the traceback)"
    assert bench.undone == [(reason, 1)]


def test_what_we_raise_ourselves_has_its_own_status() -> None:
    bench = Bench()
    bench.fail(ConfigError("no such owner"))
    assert bench.undone[0][1] == 78


def test_what_cannot_be_undone_is_logged_too() -> None:
    bench = Bench()
    bench.undone = None  # type: ignore[assignment]
    bench.fail(OverflowError("so large"))
    assert "OverflowError: so large" in bench.log.lines[0]
    assert "AttributeError" in bench.log.lines[1]


def test_what_ends_a_process_is_no_error() -> None:
    with pytest.raises(SystemExit):
        Bench().fail(SystemExit(0))


def test_a_start_has_nothing_to_lose() -> None:
    bench = Bench()
    bench.is_proven = False
    with pytest.raises(ValueError, match="no"):
        bench.fail(ValueError("no"))


def test_what_fails_in_each_turn_is_tried_ever_more_slowly() -> None:
    bench = Bench()
    for _ in range(12):
        bench.fail(ValueError("again"))
        bench.backstop.rest()
    assert bench.pauses[:3] == [0.01, 0.02, 0.04]
    assert bench.pauses[-1] == LONGEST_PAUSE
    assert len(bench.log.lines) == 1  # of the same in the same minute
    bench.backstop.rest()
    bench.fail(ValueError("anew"))
    bench.backstop.rest()
    assert bench.pauses[-1] == 0.01
    assert len(bench.log.lines) == 2


def test_a_stop_that_fails_and_fails_has_an_end() -> None:
    bench = Bench()
    bench.is_stopping = True
    for _ in range(MOST_AT_A_STOP):
        bench.fail(ValueError("stuck"))
        bench.backstop.rest()
    with pytest.raises(ValueError, match="stuck"):
        bench.fail(ValueError("stuck"))


@pytest.fixture
def site(server: Server) -> Site:
    return Site(server.directory)


@pytest.fixture
def stumbling(server: Server, site: Site) -> Callable[..., None]:
    """Start a server whose master fails at a place, as long as there is `ill`."""

    def start(place: str, *arguments: str) -> None:
        env = {**site.env, "STUMBLES": place}
        server.start("-w", "2", *arguments, app=site.app, env=env, program="stumbles")

    return start


@process
@pytest.mark.parametrize(
    ("place", "phase"),
    [
        ("succession:Succession._prepare_candidate", "check"),
        ("succession:Succession._send_canary", "canary"),
        ("staff:Staff.take_over", "roll"),
        ("listeners:Listeners.adjust", "roll"),
    ],
)
def test_a_reload_in_which_the_master_fails_is_undone(
    server: Server, site: Site, stumbling: Callable[..., None], place: str, phase: str
) -> None:
    """Wherever it was: the old code serves, and the next reload is as good as ever."""
    stumbling(place, "--canary-path", "/")
    ill = server.directory / "ill"
    ill.touch()
    site.publish("2")
    server.signal(signal.SIGHUP)
    told = server.wait_log(r"reload failed phase=(\w+) .*\n  the master failed: (.*)")
    assert told[1] == phase
    assert told[2] == "ValueError: of all things (the log has the traceback)"
    assert "Traceback" in server.log
    eventually(lambda: len(server.workers(1)) == len(server.workers()) == 2)
    assert server.get("/version") == (200, b"1")
    ill.unlink()
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    assert server.get("/version") == (200, b"2")
    assert server.stop() == 0


@process
def test_an_upgrade_in_which_the_master_fails_is_undone(
    server: Server, stumbling: Callable[..., None]
) -> None:
    stumbling("upgrade:Upgrade._become_new_program")
    ill = server.directory / "ill"
    ill.touch()
    server.signal(signal.SIGUSR2)
    server.wait_log(r"upgrade failed phase=exec .*\n  the master failed: ValueError")
    ill.unlink()
    server.signal(signal.SIGUSR2)
    server.wait_log("upgraded master")
    assert server.get()[0] == 200
    assert server.stop() == 0


@process
def test_a_worker_whose_death_cannot_be_told_is_replaced(
    server: Server, stumbling: Callable[..., None]
) -> None:
    stumbling("logs:Logs.write_cut_request")
    (server.directory / "ill").touch()
    killed = server.workers()[0]
    os.kill(killed, signal.SIGKILL)
    server.wait_log("critical master failed")
    eventually(lambda: len(server.workers()) == 2 and killed not in server.workers())
    assert server.get()[0] == 200
    (server.directory / "ill").unlink()
    assert server.stop() == 0


@process
def test_a_master_that_fails_in_each_turn_still_does_the_rest(
    server: Server, site: Site, stumbling: Callable[..., None]
) -> None:
    stumbling("systemd_reporter:SystemdReporter.turn")
    (server.directory / "ill").touch()
    os.kill(server.workers()[0], signal.SIGKILL)
    server.wait_log("critical master failed")
    eventually(lambda: len(server.workers()) == 2)
    (server.directory / "ill").unlink()
    site.publish("2")
    server.signal(signal.SIGHUP)
    server.wait_log("phase=commit")
    assert server.log.count("Traceback") == 1
    assert server.stop() == 0
