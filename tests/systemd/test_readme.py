"""What the README says under "Under systemd" leads to a service, typed as it is."""

import re

import pytest
from serving.server import ROOT
from serving.unit import BIN, COMMANDS, SCRIPT, Unit

pytestmark = [pytest.mark.process, pytest.mark.slow]


def commands() -> str:
    text = (ROOT / "README.md").read_text().split("### Under systemd\n")[1]
    return re.search(r"(?s)```sh\n(.*?)```", text)[1]


def test_the_commands_lead_to_a_service(unit: Unit) -> None:
    machine = unit.machine
    machine.forget()
    machine.run("sh", "-c", "rm -rf /srv/app /etc/sysusers.d /etc/tmpfiles.d")
    machine.write("/usr/local/sbin/apt-get", "#!/bin/sh\n", mode="755")
    # `python3 -m venv` with what pip would have put there: it needs a network.
    scripts = "\n".join(
        f"cat >{BIN}/{name} <<'END'\n{SCRIPT.format(module)}END\nchmod 755 {BIN}/{name}"
        for name, module in COMMANDS.items()
    )
    fake = f"#!/bin/sh\nmkdir -p {BIN}\n{scripts}\nln -s /bin/true {BIN}/pip\n"
    machine.write("/usr/local/bin/python3", fake, mode="755")
    try:
        machine.run("sh", "-ec", f"cd /opt/prefork\n{commands()}")
    finally:
        machine.run("rm", "/usr/local/bin/python3", "/usr/local/sbin/apt-get")
    assert unit.state == "active running"
    assert machine.show("prefork.socket", "ActiveState") == "active"
    assert machine.run("systemctl", "is-enabled", "prefork.socket") == "enabled"
    assert "prefork" in unit.ask("/")
    assert unit.control("reload").code == 0
    assert unit.control("restart").code == 0
    assert unit.ask("/")
