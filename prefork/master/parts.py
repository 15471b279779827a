"""All parts of a master: what status, log lines and a handover are made of."""

from dataclasses import dataclass
from typing import Any

from prefork import __version__
from prefork.master.backstop import Backstop
from prefork.master.crew import Crew
from prefork.master.handover import State
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.reactor import Reactor
from prefork.master.staff import Staff
from prefork.master.stop import Stop
from prefork.master.succession import Succession
from prefork.master.templates import Templates
from prefork.master.upgrade import Upgrade
from prefork.monitor.scoreboard import Scoreboard
from prefork.settings.registry import to_json
from prefork.system.lifeline import Lifeline
from prefork.system.listen import Listener
from prefork.system.pidfile import PidFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """All but those who look at all of them: news, control, systemd reporter."""

    scoreboard: Scoreboard
    bell: int  # an eventfd that templates and workers inherit
    lifeline: Lifeline
    pid_file: PidFile | None
    control_listener: Listener | None
    backstop: Backstop
    reactor: Reactor
    crew: Crew
    staff: Staff
    templates: Templates
    listeners: Listeners
    logs: Logs
    succession: Succession
    upgrade: Upgrade
    stop: Stop
    started_at: float  # monotonic seconds

    def undo(self, reason: str, status: int) -> None:
        """End a reload or an upgrade: it may be why something has failed."""
        self.succession.undo(reason, status)
        self.upgrade.undo(reason, status)

    def stop_gracefully(self) -> None:
        self.upgrade.stop()
        self.succession.stop()
        self.stop.ask()

    def stop_quickly(self) -> None:
        self.upgrade.stop()
        self.succession.stop()
        self.stop.ask_quickly()

    # Being handed over to another program

    def state(self) -> dict[str, Any]:
        """For the program that replaces this one; see prefork/master/handover.py."""
        return {
            "program": __version__,
            "settings": to_json(self.staff.target.settings),
            "scoreboard": {"fd": self.scoreboard.descriptor},
            "bell": {"fd": self.bell},
            "lifeline": self.lifeline.state(),
            "pid_file": self.pid_file and self.pid_file.state(),
            "control_listener": self.control_listener and self.control_listener.state(),
            "listeners": self.listeners.state(),
            "logs": self.logs.state(),
            "templates": self.templates.state(),
            "crew": self.crew.state(),
            "staff": self.staff.state(),
            "succession": self.succession.state(),
            "started_at": self.started_at,
            "upgrades": self.upgrade.number,
        }

    def restore(self, state: State) -> None:
        """The parts that own descriptors have them already; now the others."""
        self.templates.restore(state["templates"], self.listeners.all)
        self.crew.restore(state["crew"])
        self.staff.restore(state["staff"])
        self.succession.restore(state["succession"])
        self.upgrade.number = state["upgrades"]
