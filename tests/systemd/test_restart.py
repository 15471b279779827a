"""Restarts, wanted or not, under load: nobody is refused."""

import pytest
from serving import eventually
from serving.unit import Unit

pytestmark = [pytest.mark.process, pytest.mark.slow]

PORT = "8080"
WORKERS = 4
OWN = f"-w {WORKERS} -b 127.0.0.1:{PORT} app:wsgi"


def is_back(unit: Unit, before: int) -> bool:
    return unit.state == "active running" and unit.pid not in (0, before)


def test_a_restart_with_a_socket_unit_fails_nobody(unit: Unit) -> None:
    unit.start()
    with unit.knocking() as load:
        for _ in range(3):
            assert unit.control("restart").code == 0
    assert load.answered > 20
    assert load.failures == []


def test_a_master_that_is_killed_leaves_the_socket_of_its_unit(unit: Unit) -> None:
    """Requests that were being served are lost with it; nobody is refused."""
    unit.start()
    before = unit.pid
    with unit.knocking() as load:
        unit.kill("KILL")
        eventually(lambda: is_back(unit, before), within=20)
        eventually(lambda: unit.ask("/") == "version 1")
    assert load.refused == []
    assert load.answered > 20


def test_a_master_that_is_killed_leaves_its_listeners_and_counts(unit: Unit) -> None:
    """In the store of systemd: without a socket unit, on a port and in a file."""
    path = "/run/prefork-app/own.sock"
    unit.run_with(f"-b unix:{path} {OWN}", own_listeners=True)
    unit.start()
    before = unit.pid
    assert unit.show("NFileDescriptorStore") == "3"
    with unit.knocking(PORT) as tcp, unit.knocking(path) as unix:
        unit.kill("KILL")
        eventually(lambda: is_back(unit, before), within=20)
        eventually(lambda: unit.ask("/", at=f"http://127.0.0.1:{PORT}") == "version 1")
    assert tcp.refused == []
    assert unix.refused == []
    assert unit.show("NFileDescriptorStore") == "3"
    answered = tcp.answered + unix.answered
    # And those that were cut, and the one of this test; but not those whose workers
    # were killed behind the answer.
    counted = unit.status()["totals"]["requests"]
    assert answered - WORKERS <= counted <= answered + 10


def test_a_stop_leaves_nothing_in_the_store(unit: Unit) -> None:
    """Else the next start would get sockets whose doors are closed."""
    unit.run_with(OWN, own_listeners=True)
    unit.start()
    assert unit.control("restart").code == 0
    assert unit.ask("/", at=f"http://127.0.0.1:{PORT}") == "version 1"


def test_a_master_that_hangs_is_started_again(unit: Unit) -> None:
    unit.change("WatchdogSec=2", "TimeoutAbortSec=1")
    unit.start()
    before = unit.pid
    unit.kill("STOP")
    eventually(lambda: is_back(unit, before), within=20)
    assert "Watchdog timeout" in unit.journal()
    assert unit.ask("/") == "version 1"


def test_a_master_with_busy_workers_does_not_seem_to_hang(unit: Unit) -> None:
    unit.run_with("-w 1 app:wsgi")
    unit.change("WatchdogSec=5")
    unit.start()
    before = unit.pid
    assert unit.ask("/sleep?7") == "slept"
    assert unit.pid == before
