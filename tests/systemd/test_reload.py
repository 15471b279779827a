"""`systemctl reload`: it waits for the end, and fails when the old code goes on."""

import pytest
from serving import eventually
from serving.systemd import NEWER, UNITS
from serving.unit import APPLICATION, CONTRIB, Unit

pytestmark = [pytest.mark.process, pytest.mark.slow]

GO = "/run/prefork-app/go"
HELD = f"""\
import os, time
while not os.path.exists({GO!r}):
    time.sleep(0.01)
"""
SECOND = APPLICATION.replace('VERSION = "1"', 'VERSION = "2"')


def test_is_over_when_only_new_code_answers(unit: Unit) -> None:
    unit.start()
    pid = unit.pid
    unit.write_application(SECOND)
    assert unit.control("reload").code == 0
    assert {unit.ask("/") for _ in range(10)} == {"version 2"}
    assert (unit.state, unit.pid) == ("active running", pid)


def test_fails_with_broken_code_and_the_old_code_serves(unit: Unit) -> None:
    unit.start()
    unit.write_application("1 / 0\n")
    assert unit.control("reload").code != 0
    assert unit.show("ReloadResult") == "exit-code"
    assert "ZeroDivisionError" in unit.journal()
    assert unit.state == "active running"
    assert unit.ask("/") == "version 1"
    eventually(lambda: "last reload failed in phase boot" in unit.show("StatusText"))


def test_fails_when_the_new_code_hangs(unit: Unit) -> None:
    unit.run_with("-w 2 --boot-timeout 5 app:wsgi")
    unit.start()
    unit.write_application("import time\ntime.sleep(600)\n")
    assert unit.control("reload").code != 0
    assert unit.state == "active running"
    assert unit.ask("/") == "version 1"


def test_may_take_longer_than_systemd_would_wait(unit: Unit) -> None:
    unit.change("TimeoutStartSec=4")
    unit.start()
    unit.write_application("import time\ntime.sleep(6)\n" + SECOND)
    assert unit.control("reload").code == 0
    assert unit.ask("/") == "version 2"


def test_one_by_a_signal_is_seen_by_systemd(unit: Unit) -> None:
    unit.start()
    unit.write_application(HELD + SECOND)
    unit.kill("HUP")
    eventually(lambda: unit.state.startswith("reloading"))
    unit.machine.write(GO, "")
    eventually(lambda: unit.state == "active running")
    assert unit.ask("/") == "version 2"


@pytest.mark.parametrize("machine", [pytest.param(NEWER, id="newer")], indirect=True)
@pytest.mark.parametrize(
    ("text", "answer"), [(SECOND, "version 2"), ("1 / 0\n", "version 1")]
)
def test_the_drop_in_for_newer_systemd_waits_too(
    unit: Unit, text: str, answer: str
) -> None:
    """Type=notify-reload: RELOADING=1 with the time of it, and READY=1 in any case."""
    drop_in = (CONTRIB / "drop-ins" / "notify-reload.conf").read_text()
    unit.machine.write(f"{UNITS}/{unit.service}.d/reload.conf", drop_in)
    unit.machine.run("systemctl", "daemon-reload")
    unit.start()
    unit.write_application(text)
    assert unit.control("reload").code == 0
    assert {unit.ask("/") for _ in range(5)} == {answer}
    assert unit.state == "active running"
