"""Assembly: the parts of a master are made, and told of each other.

    crew, templates ──► news ──► all the parts: reload, stop, back-off, log

Who is made first calls those who are made last, so they are looked up at the call.
"""

import os
import time
from collections.abc import Callable, Sequence

from prefork.master.backstop import Backstop
from prefork.master.control import Control
from prefork.master.crew import Crew
from prefork.master.demand import Demand
from prefork.master.handover import State
from prefork.master.listeners import Listeners
from prefork.master.logs import Logs
from prefork.master.news import News
from prefork.master.parts import Parts
from prefork.master.reactor import Reactor
from prefork.master.roster import Roster
from prefork.master.staff import Staff
from prefork.master.stop import Stop
from prefork.master.succession import Succession
from prefork.master.systemd_reporter import SystemdReporter
from prefork.master.templates import Templates
from prefork.master.upgrade import Upgrade
from prefork.master.verbs import Verbs
from prefork.monitor.scoreboard import SLOTS, Scoreboard
from prefork.settings import Settings
from prefork.system.lifeline import Lifeline
from prefork.system.listen import Listener
from prefork.system.notify import Notifier
from prefork.system.pidfile import PidFile


class Assembly:
    """A master that is ready to run, or to go on after an upgrade."""

    def __init__(
        self,
        settings: Settings,
        arguments: Sequence[str],
        *,
        scoreboard: Scoreboard,
        listeners: Listeners,
        logs: Logs,
        pid_file: PidFile | None,
        control_listener: Listener | None,
        notifier: Notifier | None,
        on_ready: Callable[[], None],
        handover: State | None = None,
    ) -> None:
        """`handover`: after an upgrade, the state() of the program before us."""
        self._scoreboard = scoreboard
        self._listeners = listeners
        self._logs = logs
        self._log = logs.log
        self._bell = handover["bell"]["fd"] if handover else _make_bell()
        self._lifeline = Lifeline(handover["lifeline"] if handover else None)
        self._backstop = self._make_backstop()
        self._reactor = Reactor(self._backstop)
        self._roster = Roster(slots=SLOTS)
        self._crew = self._make_crew()
        self._templates = self._make_templates()
        self._staff = self._make_staff(settings)
        self.parts = self._make_parts(arguments, pid_file, control_listener, handover)
        self.news = News(self.parts, on_ready=on_ready)
        self.systemd_reporter = SystemdReporter(self.parts, notifier)
        verbs = Verbs(self.parts)
        self.control = Control(control_listener, self._reactor, self._log, verbs.table)
        self.handover = handover
        if handover:
            self._restore(handover, verbs)

    def _make_backstop(self) -> Backstop:
        return Backstop(
            self._log,
            is_needed=lambda: self.news.is_proven,
            is_stopping=lambda: self.parts.stop.is_going_on,
            undo=lambda reason, status: self.parts.undo(reason, status),
        )

    def _make_crew(self) -> Crew:
        return Crew(
            self._roster,
            self._scoreboard,
            self._reactor,
            self._log,
            on_ready=lambda member: self.news.worker_is_ready(member),
            on_failure=lambda member, text: self.news.worker_cannot_load(member, text),
            on_exit=lambda worker_exit: self.news.worker_exited(worker_exit),
        )

    def _make_templates(self) -> Templates:
        return Templates(
            self._reactor,
            self._log,
            descriptors=self._descriptors,
            explain=self._crew.explain,
            release=self._crew.release,
            on_loaded=lambda new: self.news.template_is_loaded(new),
            on_failed=lambda failed, why: self.news.template_failed(failed, why),
        )

    def _descriptors(self, settings: Settings) -> tuple[Sequence[int], int | None]:
        """What a template inherits: what all of them share, and its access log."""
        shared = (self._scoreboard.descriptor, self._bell, self._lifeline.held)
        return shared, self._logs.access_descriptor(settings)

    def _make_staff(self, settings: Settings) -> Staff:
        return Staff(
            self._roster,
            self._crew,
            self._templates,
            self._log,
            demand=Demand(self._roster, self._scoreboard, self._reactor, self._log),
            target=self._templates.create(settings, self._listeners.open),
        )

    def _make_parts(
        self,
        arguments: Sequence[str],
        pid_file: PidFile | None,
        control_listener: Listener | None,
        handover: State | None,
    ) -> Parts:
        return Parts(
            scoreboard=self._scoreboard,
            bell=self._bell,
            lifeline=self._lifeline,
            pid_file=pid_file,
            control_listener=control_listener,
            backstop=self._backstop,
            reactor=self._reactor,
            crew=self._crew,
            staff=self._staff,
            templates=self._templates,
            listeners=self._listeners,
            logs=self._logs,
            succession=self._make_succession(arguments),
            upgrade=Upgrade(self._reactor, self._log, state=self._state),
            stop=self._make_stop(),
            started_at=handover["started_at"] if handover else time.monotonic(),
        )

    def _make_succession(self, arguments: Sequence[str]) -> Succession:
        return Succession(
            arguments,
            reactor=self._reactor,
            crew=self._crew,
            templates=self._templates,
            staff=self._staff,
            listeners=self._listeners,
            logs=self._logs,
        )

    def _make_stop(self) -> Stop:
        def order_drainer() -> None:
            if self.news.is_proven:
                self._staff.order_drainer()

        return Stop(self._listeners, self._crew, self._log, order_drainer=order_drainer)

    # Being handed over to another program

    def _state(self) -> State:
        return {
            **self.parts.state(),
            "systemd_reporter": self.systemd_reporter.state(),
            "callers": self.control.state(),
        }

    def _restore(self, state: State, verbs: Verbs) -> None:
        self.news.is_proven = True  # or there would have been no upgrade
        self.parts.restore(state)
        self.systemd_reporter.restore(state["systemd_reporter"])
        self.control.restore(state["callers"], verbs.go_on)


def _make_bell() -> int:
    return os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
