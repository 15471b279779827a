"""prefork.master.crew: what a worker has said before it was reaped."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from prefork.master.crew import Crew
from prefork.master.reactor import Reactor
from prefork.master.roster import Member, Roster
from prefork.master.worker_exit import WorkerExit
from prefork.monitor.log import Log
from prefork.monitor.outlet import Outlet
from prefork.monitor.scoreboard import Scoreboard
from prefork.settings import Settings
from prefork.system.channel import Channel

pytestmark = pytest.mark.process


@dataclass
class Generation:
    """A template that forks at once."""

    number: int = 1
    settings: Settings = field(default_factory=Settings)
    listeners: tuple[()] = ()
    workers: list[int] = field(default_factory=list)

    def order(self, slot: int, channel: Channel) -> bool:
        """Have a worker that cannot load its application."""
        pid = os.fork()
        if not pid:
            channel.send("registered")
            channel.send("failed", text="no module")
            os._exit(70)
        self.workers.append(pid)
        return True


class Stage:
    """A crew of which all are killed when one cannot load the application."""

    def __init__(self, log: Log) -> None:
        self.template = Generation()
        self.ended: list[WorkerExit] = []
        self.crew = Crew(
            Roster(slots=8),
            Scoreboard(),
            Reactor(),
            log,
            on_ready=lambda member: None,
            on_failure=self._kill_all,
            on_exit=self.ended.append,
        )

    def _kill_all(self, member: Member, text: str) -> None:
        for each in self.crew.members():
            self.crew.kill(each, text)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with (tmp_path / "log").open("w") as file:
        yield Stage(Log(Outlet(file.fileno())))


def test_who_is_reaped_before_it_was_heard_is_not_signalled(stage: Stage) -> None:
    """Its number may be another process's by then; and kill(2) would fail."""
    stage.crew.order(stage.template, now=0.0)  # type: ignore[arg-type]
    stage.crew.order(stage.template, now=0.0)  # type: ignore[arg-type]
    first, second = stage.template.workers
    os.waitpid(first, 0)
    os.waitpid(second, 0)
    assert stage.crew.exited(first, 70)
    assert stage.crew.members() == []
    assert {each.member.pid: each.how for each in stage.ended}[first] == "exit code 70"
