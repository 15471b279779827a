"""Stops and upgrades: what was asked is answered, and systemd knows the master."""

import pytest
from serving import eventually
from serving.unit import Unit

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_a_stop_may_take_longer_than_systemd_would_wait(unit: Unit) -> None:
    """A request of 8 s, where systemd gives 4."""
    unit.change("TimeoutStopSec=4")
    unit.start()
    asked = unit.asking("/sleep?8")
    eventually(unit.busy)
    assert unit.control("stop").code == 0
    assert asked.communicate(timeout=30)[0] == "slept"
    assert (unit.show("Result"), unit.show("ExecMainStatus")) == ("success", "0")


def test_a_stop_says_that_it_is_one(unit: Unit) -> None:
    unit.start()
    asked = unit.asking("/wait")
    eventually(unit.busy)
    unit.kill("TERM")
    eventually(lambda: unit.state.startswith("deactivating"))
    eventually(lambda: "stopping" in unit.show("StatusText"))
    unit.machine.write("/run/prefork-app/go", "")
    assert asked.communicate(timeout=30)[0] == "waited"
    eventually(lambda: unit.state == "inactive dead")


def test_requests_that_were_cut_are_no_failure_of_the_service(unit: Unit) -> None:
    unit.run_with("-w 2 --graceful-timeout 1 app:wsgi")
    unit.start()
    asked = unit.asking("/sleep?30")
    eventually(unit.busy)
    assert unit.control("stop").code == 0
    asked.communicate(timeout=30)
    assert (unit.show("Result"), unit.show("ExecMainStatus")) == ("success", "75")


def test_an_upgrade_keeps_the_main_pid(unit: Unit) -> None:
    unit.change("WatchdogSec=5")
    unit.start()
    before = unit.pid
    with unit.knocking() as load:
        unit.machine.run("/srv/app/venv/bin/prefork", "upgrade", "--pid", str(before))
    assert load.failures == []
    assert (unit.pid, unit.state) == (before, "active running")
    assert "upgraded master" in unit.journal()
    eventually(lambda: "gen 2" in unit.show("StatusText"))
    assert unit.control("reload").code == 0
    assert unit.control("stop").code == 0
    assert unit.show("Result") == "success"
