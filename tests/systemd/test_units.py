"""The other units of contrib/, and what a hardened application may still do."""

import pytest
from serving import eventually
from serving.systemd import UNITS
from serving.unit import APPLICATION, BIN, CONTRIB, WEB_SERVER, Unit

pytestmark = [pytest.mark.process, pytest.mark.slow]


def test_a_hardened_application_does_what_applications_do(unit: Unit) -> None:
    unit.start()
    assert unit.ask("/everything") == "True 3"
    assert "Seccomp:\t2" in unit.machine.run("cat", f"/proc/{unit.pid}/status")


@pytest.mark.parametrize("asked", ["--nice 3", "--cpu-affinity auto"])
def test_what_the_sandbox_forbids_is_not_ignored(unit: Unit, asked: str) -> None:
    unit.run_with(f"-w 1 {asked} app:wsgi")
    unit.change("Restart=no")
    assert unit.control("start").code != 0
    assert unit.show("ExecMainStatus") == "1"
    assert "operation not permitted" in unit.journal()


def test_systemd_has_nothing_to_say_of_the_units_where_they_are(unit: Unit) -> None:
    verify = ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no"]
    assert unit.machine.run(*verify, f"{UNITS}/{unit.service}") == ""


def test_a_loaded_service_is_hardly_exposed(unit: Unit) -> None:
    unit.start()
    unit.machine.run("systemd-analyze", "security", "--threshold=15", unit.service)


def test_each_instance_has_its_own_settings_socket_and_user(unit: Unit) -> None:
    machine = unit.machine
    for name, version in ("one", "1"), ("two", "2"):
        text = APPLICATION.replace('VERSION = "1"', f'VERSION = "{version}"')
        machine.write(f"/srv/{name}/app.py", text)
        machine.run("ln", "-sfn", "/srv/app/venv", f"/srv/{name}/venv")
        machine.write(f"/etc/prefork/{name}.toml", 'app = "app:wsgi"\nworkers = 2\n')
    machine.start("prefork@one", "prefork@two")
    for name, version in ("one", "1"), ("two", "2"):
        at = f"unix:/run/prefork/{name}.sock"
        assert unit.ask("/", at=at) == f"version {version}"
        assert unit.ask("/everything", at=at) == "True 3"
        assert machine.do("systemctl", "reload", f"prefork@{name}").code == 0
    uids = {machine.show(f"prefork@{name}", "UID") for name in ("one", "two")}
    assert len(uids) == 2


def test_an_instance_may_have_a_name_as_long_as_is_said(unit: Unit) -> None:
    name = "A-name_of-23-characters"
    unit.machine.write(f"/srv/{name}/app.py", APPLICATION)
    unit.machine.run("ln", "-sfn", "/srv/app/venv", f"/srv/{name}/venv")
    unit.machine.write(f"/etc/prefork/{name}.toml", 'app = "app:wsgi"\nworkers = 1\n')
    unit.machine.start(f"prefork@{name}")
    assert unit.ask("/", at=f"unix:/run/prefork/{name}.sock") == "version 1"


def test_an_instance_without_a_file_is_not_started(unit: Unit) -> None:
    unit.machine.do("systemctl", "start", "prefork@nobody")
    assert unit.machine.show("prefork@nobody", "ConditionResult") == "no"


def test_a_name_says_what_is_spoken_at_a_socket(unit: Unit) -> None:
    """Of several units; --socket-protocol is for names that are none of a protocol."""
    unit.run_with("-w 2 --socket-protocol back=scgi app:wsgi")
    for name in ("fastcgi", "back"):
        unit.machine.write(
            f"{UNITS}/prefork-{name}.socket",
            f"[Socket]\nListenStream=/run/prefork/{name}\nFileDescriptorName={name}\n"
            f"Service={unit.service}\n",
        )
    unit.change("Sockets=prefork.socket prefork-fastcgi.socket prefork-back.socket")
    unit.start()
    assert unit.ask("/protocol", at="unix:/run/prefork/prefork.sock") == "HTTP/1.1"
    for protocol, name in ("fastcgi", "fastcgi"), ("scgi", "back"):
        assert "HTTP/" in unit.ask(
            "/protocol", at=f"{protocol}+unix:/run/prefork/{name}"
        )
        assert f"{protocol}+unix:/run/prefork/{name}" in unit.journal()


def test_a_name_that_means_nothing_is_a_bad_configuration(unit: Unit) -> None:
    path = f"{UNITS}/prefork.socket"
    unit.machine.run("sed", "-i", "s/^FileDescriptorName=.*/&x/", path)
    unit.machine.run("systemctl", "daemon-reload")
    assert unit.control("start").code != 0
    assert unit.show("ExecMainStatus") == "78"
    assert "protocol of systemd's socket 'httpx'" in unit.journal()


PROGRAM = """#!/usr/bin/python3
import socket

listener = socket.socket(fileno=0)
while True:
    connection, _ = listener.accept()
    connection.recv(65536)
    connection.close()
"""


def test_a_fastcgi_program_is_kept_running(unit: Unit) -> None:
    machine = unit.machine
    machine.write("/srv/fcgi/app.fcgi", PROGRAM, mode="755")
    machine.run("ln", "-sfn", "/srv/app/venv", "/srv/fcgi/venv")
    machine.write("/etc/prefork/fcgi.toml", "workers = 2\n")
    machine.start("prefork-fcgi@fcgi")
    status = "prefork-fcgi@fcgi", "StatusText"
    eventually(lambda: "2/2 serve" in machine.show(*status))  # told after READY=1
    at = "fastcgi+unix:/run/prefork/fcgi.fcgi.sock"
    request = [*WEB_SERVER, f"{BIN}/prefork", "request", at]
    assert machine.do(*request, "/").code == 1  # it is there, and says nothing
    assert machine.do("systemctl", "reload", "prefork-fcgi@fcgi").code == 0
    assert machine.do("systemctl", "restart", "prefork-fcgi@fcgi").code == 0
    assert machine.do(*request, "/").code == 1
    both = ["prefork-fcgi@fcgi.socket", "prefork-fcgi@fcgi"]
    assert machine.do("systemctl", "stop", *both).code == 0


def test_a_port_below_1024_needs_a_capability_and_no_root(unit: Unit) -> None:
    unit.run_with("-w 1 -b 127.0.0.1:80 app:wsgi", own_listeners=True)
    unit.change("Restart=no")
    assert unit.control("start").code != 0
    drop_in = (CONTRIB / "drop-ins" / "low-port.conf").read_text()
    unit.machine.write(f"{UNITS}/{unit.service}.d/low-port.conf", drop_in)
    unit.machine.run("systemctl", "daemon-reload")
    unit.start()
    assert unit.ask("/", at="http://127.0.0.1:80") == "version 1"


def test_the_socket_is_for_the_group_of_the_web_server(unit: Unit) -> None:
    unit.start()
    found = eventually(
        lambda: unit.machine.run("stat", "-c", "%A %G", "/run/prefork/prefork.sock")
    )
    assert found == "srw-rw---- www-data"
