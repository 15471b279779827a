"""The crew: the processes behind the roster, and what is said to them.

Here are the system calls that the roster decides on.  A signal is sent only to
a child that has not been reaped, so its pid cannot have been given to another
process; and the crew forgets a worker in the moment it is reaped.
"""

import os
import signal
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from prefork.master import crashes
from prefork.master.crashes import Crashes
from prefork.master.deadlines import Deadlines
from prefork.master.generation import Generation
from prefork.master.reactor import Reactor
from prefork.master.relief import Relief
from prefork.master.roster import Member, Roster
from prefork.master.states import TRANSITIONS, Action, Event, State
from prefork.master.worker_exit import OUT_OF_MEMORY, WorkerExit
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import SECOND, Scoreboard
from prefork.system.channel import Channel, Message, adopt, pair
from prefork.system.oom import OomKills, find_counter
from prefork.system.orphans import end_orphan
from prefork.system.processes import describe_exit
from prefork.system.signals import DUMP_STACKS


class Crew:
    """All workers: has them forked, hears them, tells, signals and forgets them.

    `on_ready(member)`, `on_failure(member, text)`, which is that the application
    cannot be loaded, and `on_exit(worker_exit)` tell the master.
    """

    def __init__(
        self,
        roster: Roster,
        scoreboard: Scoreboard,
        reactor: Reactor,
        log: Log,
        *,
        on_ready: Callable[[Member], None],
        on_failure: Callable[[Member, str], None],
        on_exit: Callable[[WorkerExit], None],
    ) -> None:
        self.roster = roster
        self._scoreboard = scoreboard
        self._reactor = reactor
        self.log = log
        self._on_ready = on_ready
        self._on_failure = on_failure
        self._on_exit = on_exit
        self._channels: dict[int, Channel] = {}
        self._oom_kills = OomKills(find_counter())
        self.crashes = Crashes()
        self._deadlines = Deadlines(
            roster,
            scoreboard,
            log,
            end=lambda member: self._apply(member, Event.OVERDUE),
            dump=lambda member: self._signal(member, DUMP_STACKS),
        )
        self._relief = Relief(roster, scoreboard, self.send)
        self.drain = False  # workers who retire now empty the accept queue first
        self._reaped = 0  # the pid of the worker that exited() is told of

    # Being born

    def order(self, generation: Generation, now: float) -> bool:
        """Have a worker forked; False if there is no slot, or no one to fork it.

        Raises OSError when the system has no descriptors left.
        """
        settings = generation.settings
        ours, theirs = pair()
        member = self.roster.order(
            generation.number,
            now,
            boot_timeout=settings.boot_timeout,
            graceful_timeout=settings.graceful_timeout,
            slow=settings.slow,
        )
        if member is None:
            ours.close()
            theirs.close()
            return False
        member.doors = [listener.door for listener in generation.listeners]
        self._scoreboard.admit(
            member.slot, generation=generation.number, now=int(now * SECOND)
        )
        self._listen_to(member, ours)
        was_heard = generation.order(member.slot, theirs)
        theirs.close()
        return was_heard  # if not, the channel is at its end: see _lose()

    def _listen_to(self, member: Member, channel: Channel) -> None:
        self._channels[member.slot] = channel
        self._reactor.watch(channel.fileno(), lambda: self._hear(member))

    def _hear(self, member: Member) -> None:
        channel = self._channels[member.slot]
        for message in channel.receive():
            self._obey(member, message)
        if channel.is_closed:
            self._lose(member)

    def _hear_all(self) -> None:
        """Hear what everyone has said so far."""
        for member in list(self.roster.members.values()):
            if member.slot in self._channels:
                self._hear(member)

    def _obey(self, member: Member, message: Message) -> None:
        """Act on a message; one that no code of ours would send is ignored."""
        match message.kind, message.fields:
            case "forked", {"pid": int(pid)} if not member.pid:
                self._meet(member, pid)
            case ("registered" | "settling" | "ready" | "leaving") as kind, _:
                self._believe(member, Event[kind.upper()], message.sender)
            case "pass on", {"clients": list()}:
                self._relief.pass_on(member, message, time.monotonic())
            case "replace", {"reason": str(reason)}:
                member.wants_replacement = True
                self.log.info("replacing worker", **member.name, reason=reason)
            case "failed", {"text": str(text)}:
                self._on_failure(member, text)
            case "unforked", {"error": str(error)}:
                member.refusal = f"cannot be forked: {error}"

    def _believe(self, member: Member, event: Event, sender: int) -> None:
        """Take note of what a worker says of itself, unless its state rules it out.

        The application is in the same process, and could write to the channel.
        """
        if event not in TRANSITIONS[member.state]:
            self.log.warning("ignored message", **member.name, kind=event.name)
            return
        if event is Event.REGISTERED:
            self._meet(member, sender)
        self._apply(member, event)

    def _meet(self, member: Member, pid: int) -> None:
        member.pid = pid
        self._scoreboard.write_pid(member.slot, pid)

    def _lose(self, member: Member) -> None:
        """The channel is at its end.  A process is reaped; if none was born, or
        the template died with the order, there is nothing to reap."""
        self._close_channel(member)
        if not member.pid:
            self._forget(member, member.refusal or "was never forked")

    def _close_channel(self, member: Member) -> None:
        if channel := self._channels.pop(member.slot, None):
            self._reactor.unwatch(channel.fileno())
            channel.close()

    # Leaving

    def retire(self, leavers: Iterable[Member]) -> None:
        """Have them finish and leave; the clients they keep go to who stays."""
        leavers = list(leavers)
        heirs = self._relief.doors_without(leavers)
        for member in leavers:
            self._apply(member, Event.RETIRE, heirs)

    def send(self, member: Member, kind: str, **content: object) -> bool:
        """Say something to a worker; False if that is not possible."""
        channel = self._channels.get(member.slot)
        return channel is not None and channel.send(kind, **content)  # type: ignore[arg-type]

    def promote(self, member: Member, generation: int, channel: Channel) -> None:
        """Have it become a template, when it has been replaced and has retired."""
        member.was_chosen = True
        descriptors = [channel.fileno()]
        self.send(member, "promote", generation=generation, descriptors=descriptors)

    def release(self, pid: int) -> None:
        """A worker has become a template: forget it, without an end of its process."""
        if member := self.roster.by_pid(pid):
            self._hear_the_rest(member)
            self._forget(member, "exit code 0")

    def proven(self, generation: int, now: float) -> list[Member]:
        """Those who have served well so far."""
        serving = self.roster.serving(generation)
        return [
            m for m in serving if m.is_proven(requests=self.served(m.slot), now=now)
        ]

    def served(self, slot: int) -> int:
        """How many requests."""
        return self._scoreboard.read(slot).requests

    def has_begun(self, slot: int) -> bool:
        """Has it ever asked its application anything?"""
        tenant = self._scoreboard.read(slot)
        return tenant.is_busy or tenant.requests > 0

    def is_busy(self, slot: int) -> bool:
        return self._scoreboard.read(slot).is_busy

    def is_keeper(self, slot: int) -> bool:
        return self._scoreboard.read(slot).is_keeper

    def dump(self, member: Member) -> None:
        """Have it write its stacks to stderr, which leads to the log."""
        serving = self._scoreboard.read(member.slot).serving
        self.log.info("dumping stacks", **member.name, **serving)
        self._signal(member, DUMP_STACKS)

    def open(self, member: Member) -> None:
        """Let a worker accept connections: until then it only is ready."""
        member.is_open = True
        self.send(member, "open")

    def members(self) -> list[Member]:
        return list(self.roster.members.values())

    def kill(self, member: Member, because: str) -> None:
        """Kill at once, without the ABRT that is the first step after a deadline."""
        if self._is_reaped(member):
            return  # it has ended by itself
        member.killed_because = member.killed_because or because
        member.state = State.ABORTED
        self._apply(member, Event.OVERDUE)

    def check_deadlines(self, now: float) -> None:
        """End what has taken too long, and relieve those who wait for it."""
        self._oom_kills.look_now_and_then(now)
        self._deadlines.check(now)
        self._relief.look(now)

    def exited(self, pid: int, code: int) -> bool:
        """One of our children was reaped; False if it was no worker.

        What it has said at last is heard only now, and may lead to a kill of all: this
        one is left out, since its pid may be another process's by now.
        """
        self._reaped = pid
        try:
            return self._forget_reaped(pid, code)
        finally:
            self._reaped = 0

    def _forget_reaped(self, pid: int, code: int) -> bool:
        member = self.roster.by_pid(pid)
        if member is None:
            self._hear_all()  # "forked" was sent before it could exit
            member = self.roster.by_pid(pid)
        if member is None:
            return False
        self._hear_the_rest(member)
        was_ours = member.killed_because or member.state is State.KILLED
        self._forget(member, describe_exit(code) if was_ours else self.explain(code))
        return True

    def _hear_the_rest(self, member: Member) -> None:
        if channel := self._channels.get(member.slot):
            for message in channel.receive():
                self._obey(member, message)
        self._close_channel(member)

    def explain(self, code: int) -> str:
        """How a child has ended that we had not killed, be it a worker or not."""
        if code == -signal.SIGKILL and self._oom_kills.claim(time.monotonic()):
            return OUT_OF_MEMORY
        return describe_exit(code)

    def _forget(self, member: Member, cause: str) -> None:
        """It is no more: free its slot, and tell how it has ended."""
        worker_exit = WorkerExit(
            member,
            self._scoreboard.read(member.slot),
            member.state,
            cause,
            time.monotonic(),
        )
        self._apply(member, Event.EXITED)
        if end_orphan(worker_exit.tenant.program):
            self.log.info("ended program", pid=worker_exit.tenant.program)
        self._on_exit(worker_exit)
        if worker_exit.is_failure and worker_exit.tenant.is_busy:
            self._suspect(worker_exit)

    def _suspect(self, worker_exit: WorkerExit) -> None:
        """A worker has died serving this request; have others too?"""
        request, now = worker_exit.tenant.request, time.monotonic()
        generation = worker_exit.member.generation
        if suspect := self.crashes.record(request, now, generation=generation):
            within = f"{crashes.WITHIN:g} s"
            self.log.error(
                "poison request", request=suspect, lost=crashes.MANY, within=within
            )

    def _apply(self, member: Member, event: Event, heirs: Sequence[str] = ()) -> None:
        """`heirs`: the doors behind which others go on, for one who retires."""
        match self.roster.apply(member, event, time.monotonic()):
            case Action.ANNOUNCE:
                self._on_ready(member)
            case Action.TELL:
                self.send(member, "retire", drain=self.drain, heirs=heirs)
            case Action.ABORT:
                self.log.error(
                    "aborting worker",
                    **member.name,
                    reason=member.killed_because,
                    **self._scoreboard.read(member.slot).serving,
                )
                self._signal(member, signal.SIGABRT)
            case Action.KILL:
                self._signal(member, signal.SIGKILL)

    def _signal(self, member: Member, number: int) -> None:
        if self._is_reaped(member):
            return
        if member.pid:
            os.kill(member.pid, number)
        else:  # not forked yet, or by a template that hangs: it finds no master
            self._close_channel(member)
            self._forget(member, "was not registered in time")

    def _is_reaped(self, member: Member) -> bool:
        return bool(member.pid) and member.pid == self._reaped

    # Being handed over to another program

    def state(self) -> list[dict[str, Any]]:
        return [
            {**asdict(member), "state": member.state.name, "channel": self._end(member)}
            for member in self.members()
        ]

    def _end(self, member: Member) -> dict[str, int] | None:
        channel = self._channels.get(member.slot)
        return {"fd": channel.fileno()} if channel else None

    def restore(self, state: list[dict[str, Any]]) -> None:
        for fields in state:
            channel = fields.pop("channel")
            member = Member(**{**fields, "state": State[fields["state"]]})
            self.roster.members[member.slot] = member
            if channel:
                self._listen_to(member, adopt(channel["fd"]))
