"""prefork.service under a private systemd: changed, started, asked, and its load."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from serving.eventually import PATIENCE
from serving.server import PROGRAMS, ROOT
from serving.systemd import UNITS, Done, Systemd

CONTRIB = ROOT / "contrib" / "systemd"
PACKAGES = "/usr/lib/python3/dist-packages"
BIN = "/srv/app/venv/bin"
SCRIPT = "#!/usr/bin/python3\nimport sys\nfrom {} import main\nsys.exit(main())\n"
COMMANDS = {"prefork-wsgi": "prefork.cli.wsgi", "prefork": "prefork.cli.control"}
KNOCKS = "/opt/prefork/tests/programs/knocks.py"
APPLICATION = (PROGRAMS / "under_systemd.py").read_text()
SOCKET = "/run/prefork/prefork.sock"
WEB_SERVER = ("setpriv", "--reuid=www-data", "--regid=www-data", "--clear-groups")


def furnish(machine: Systemd) -> None:
    """What an operator does once: the virtual environment, users, directories."""
    # In place of `pip install`, which wants a network.  Compiled, or every process
    # does it anew, for longer than some tests have.
    machine.run("cp", "-a", "/opt/prefork/prefork", PACKAGES)
    machine.run("python3", "-m", "compileall", "-q", f"{PACKAGES}/prefork")
    for name, module in COMMANDS.items():
        machine.write(f"{BIN}/{name}", SCRIPT.format(module), mode="755")
    for kind in ("sysusers", "tmpfiles"):
        text = (CONTRIB / f"prefork.{kind}.conf").read_text()
        machine.write(f"/etc/{kind}.d/prefork.conf", text)
    machine.run("systemd-sysusers")


class Unit:
    """One service with the socket of the same name."""

    service = "prefork.service"

    def __init__(self, machine: Systemd) -> None:
        self.machine = machine
        machine.run("systemd-tmpfiles", "--create", "/etc/tmpfiles.d/prefork.conf")
        for path in CONTRIB.glob("prefork*.s*"):
            if path.suffix in (".service", ".socket"):
                machine.write(f"{UNITS}/{path.name}", path.read_text())
        self.write_application(APPLICATION)
        self.change("Environment=PREFORK_BAKE=0", name="impatient")

    def change(self, *lines: str, name: str = "test", unit: str = service) -> None:
        """Other directives than contrib/ has."""
        self.machine.drop_in(unit, "\n".join(["[Service]", *lines, ""]), name=name)

    def run_with(self, arguments: str, *, own_listeners: bool = False) -> None:
        """Other arguments; with listeners of its own there is no socket unit."""
        self.change(
            "ExecStart=", f"ExecStart={BIN}/prefork-wsgi {arguments}", name="run"
        )
        if own_listeners:
            path = f"{UNITS}/{self.service}"
            self.machine.run("sed", "-i", "/^Requires=/d", path)
            self.machine.run("systemctl", "daemon-reload")

    def write_application(self, text: str) -> None:
        self.machine.write("/srv/app/app.py", text)

    def start(self) -> None:
        self.machine.start(self.service)

    def control(self, verb: str, *, within: float = 60.0) -> Done:
        """systemctl VERB of the service."""
        return self.machine.do("systemctl", verb, self.service, within=within)

    def show(self, name: str) -> str:
        return self.machine.show(self.service, name)

    def status(self) -> dict[str, Any]:
        """What `prefork status --json` says, for root: not in the service's sandbox."""
        said = self.machine.run(f"{BIN}/prefork", "status", "--json")
        found: dict[str, Any] = json.loads(said)
        return found

    def busy(self) -> int:
        """How many workers are busy."""
        return int(self.status()["workers"]["busy"])

    @property
    def pid(self) -> int:
        return self.machine.main_pid(self.service)

    @property
    def state(self) -> str:
        return f"{self.show('ActiveState')} {self.show('SubState')}"

    def kill(self, signal: str, pid: int = 0) -> None:
        """The master, or another process in there."""
        self.machine.run("kill", f"-{signal}", str(pid or self.pid))

    def journal(self, *options: str) -> str:
        return self.machine.journal(self.service, *options)

    def priorities(self) -> list[tuple[int, str]]:
        """Of each line in the journal."""
        lines = self.machine.journal(self.service, "-o", "json").splitlines()
        entries = [json.loads(line) for line in lines]
        return [(int(each["PRIORITY"]), each["MESSAGE"]) for each in entries]

    def ask(
        self, path: str = "/", *, at: str = f"unix:{SOCKET}", more: str = ""
    ) -> str:
        """What a web server is answered, by `prefork request`."""
        command = [f"{BIN}/prefork", "request", "--timeout", "30", *more.split()]
        return self.machine.run(*WEB_SERVER, *command, at, path)

    def asking(self, path: str) -> "subprocess.Popen[str]":
        """The same, while something else happens."""
        command = [f"{BIN}/prefork", "request", "--timeout", "60"]
        return subprocess.Popen(
            self.machine.command(*command, f"unix:{SOCKET}", path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
        )

    def knocking(self, at: str = SOCKET, *, clients: int = 4) -> "Knocking":
        return Knocking(self.machine.command("python3", KNOCKS, at, str(clients)))


@dataclass(slots=True)
class Knocking:
    """Load from inside, in a `with`; what it has seen is known afterwards."""

    command: list[str]
    answered: int = 0
    failures: list[str] | None = None
    longest: float = 0.0
    _process: "subprocess.Popen[str] | None" = None

    def __enter__(self) -> "Knocking":
        self._process = subprocess.Popen(
            self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout
        assert self._process.stdout.readline() == "knocking\n"
        return self

    def __exit__(self, *exception: object) -> None:
        assert self._process
        said, _ = self._process.communicate(timeout=90 * PATIENCE)
        seen = json.loads(said)
        self.answered, self.failures = seen["answered"], seen["failures"]
        self.longest = seen["longest"]

    @property
    def refused(self) -> list[str]:
        """Those who could not even connect."""
        assert self.failures is not None
        return [failure for failure in self.failures if failure.startswith("refused")]
