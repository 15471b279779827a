"""What operators can ask of a master, or tell it: a verb each."""

from typing import Any

from prefork import __version__
from prefork.errors import EXIT_REFUSED, CommandError
from prefork.master.control import Fields, Story, Verb
from prefork.master.parts import Parts
from prefork.master.roster import Member
from prefork.master.sharing import reopen
from prefork.master.states import State
from prefork.master.status import count_workers, describe
from prefork.master.stop import STOPPING
from prefork.settings.gateways import GATEWAYS
from prefork.settings.scale import MOST_WORKERS, STEP, Scale, parse_scale

MAY_BE_DUMPED = (State.SERVING, State.RETIRING)  # others do not know the signal


class Verbs:
    """The verbs of one master."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.table: dict[str, Verb] = {
            "status": lambda fields: describe(parts),
            "reload": self._reload,
            "scale": self._scale,
            "stop": self._stop,
            "upgrade": self._upgrade,
            "reopen": lambda fields: {"files": reopen(parts)},
            "dump": self._dump,
        }

    def _scale(self, fields: Fields) -> Fields:
        """`workers` is N, MIN:MAX, +N or -N."""
        staff, text = self._parts.staff, str(fields.get("workers"))
        before = str(staff.scale)
        if not STEP.fullmatch(text):
            staff.scale_to(_parse_scale(text))
        elif not staff.adjust(int(text)):
            raise CommandError(f"cannot scale by {text}: 1 to {MOST_WORKERS} workers")
        return {"workers": str(staff.scale), "before": before}

    def _dump(self, fields: Fields) -> Fields:
        """`slot`, or all workers, write their stacks to the log."""
        slot = fields.get("slot")
        crew = self._parts.crew
        members = [m for m in crew.members() if slot in (None, m.slot)]
        ready = [member for member in members if member.state in MAY_BE_DUMPED]
        if slot is not None and not ready:
            reason = f"no worker in slot {slot} could write its stacks"
            raise CommandError(f"{reason} (`prefork status` shows the slots)")
        if any(crew.is_keeper(member.slot) for member in ready):
            raise CommandError("a program that is kept has no stacks to write")
        for member in ready:
            crew.dump(member)
        return {"workers": [_name(member) for member in ready]}

    def _reload(self, fields: Fields) -> Fields | Story:
        """Reload; with `wait` the answer tells how it goes."""
        if self._parts.stop.is_going_on:
            raise CommandError(STOPPING)
        succession = self._parts.succession
        number = succession.number + 1  # the next one that begins
        succession.ask()
        return self._follow_reload(number) if fields.get("wait") else {"asked": True}

    def _follow_reload(self, number: int) -> Story:
        succession, said = self._parts.succession, None
        yield None  # it begins in the course of this turn
        while not (succession.outcome and succession.outcome.number >= number):
            if self._parts.stop.is_going_on:
                yield _end(EXIT_REFUSED, STOPPING, phase="stop")
                return
            line = self._describe_progress(number)
            yield line if line != said else None
            said = line
        outcome = succession.outcome
        yield _end(
            outcome.exit_status,
            outcome.reason,
            phase=outcome.phase.value,
            generation=outcome.generation,
            seconds=outcome.seconds,
        )

    def _upgrade(self, fields: Fields) -> Fields | Story:
        """Become the program that is installed now, then reload; `wait` as above."""
        if self._parts.stop.is_going_on:
            raise CommandError(STOPPING)
        upgrade = self._parts.upgrade
        number = upgrade.number + 1  # the next one that begins
        upgrade.ask(then_reload=True)
        return self._follow_upgrade(number) if fields.get("wait") else {"asked": True}

    def _follow_upgrade(self, number: int) -> Story:
        """Only failures are told to the end: to go on is the new program's."""
        upgrade, said = self._parts.upgrade, None
        while upgrade.number < number or not upgrade.exit_status:
            if self._parts.stop.is_going_on:
                yield _end(EXIT_REFUSED, STOPPING, phase="stop")
                return
            has_begun = upgrade.phase is not None and upgrade.number >= number
            phase = "rehearse" if has_begun else "wait"
            line = {"phase": phase, "version": __version__}
            yield line if line != said else None
            said = line
        yield _end(upgrade.exit_status, upgrade.reason, phase="rehearse")

    def go_on(self) -> Story:
        """What those are told who have waited for us while we became another program.

        All that they can have asked for is a reload, with or without an upgrade; so
        there will be one, whichever upgrade has brought us here.
        """
        self._parts.succession.ask()
        return self._go_on(self._parts.succession.number + 1)

    def _go_on(self, number: int) -> Story:
        yield {"phase": "upgraded", "version": __version__}
        yield from self._follow_reload(number)

    def _describe_progress(self, number: int) -> Fields:
        succession, wanted = self._parts.succession, self._parts.staff.wanted
        if succession.reload is None or succession.number < number:
            return {"phase": "wait", "workers": 0, "wanted": wanted}
        new = succession.candidate
        serving = self._parts.crew.roster.serving(new.number) if new else []
        return {
            "phase": succession.reload.phase.value,
            "loading": GATEWAYS[self._parts.staff.target.settings.gateway].loading,
            "workers": len(serving),
            "wanted": wanted,
        }

    def _stop(self, fields: Fields) -> Fields | Story:
        """Stop, or `quick`ly; with `wait` the answer tells who is still there."""
        if fields.get("quick"):
            self._parts.stop_quickly()
        elif not self._parts.stop.is_going_on:  # to hurry one has to say so
            self._parts.stop_gracefully()
        return self._follow_stop() if fields.get("wait") else {"asked": True}

    def _follow_stop(self) -> Story:
        stop, said = self._parts.stop, None
        while stop.exit_status is None:
            count = count_workers(self._parts)
            line = {
                "phase": "stop",
                "workers": len(self._parts.crew.roster.members),
                "busy": count["busy"],
            }
            yield line if line != said else None
            said = line
        cut = f"requests cut: {stop.cut}" if stop.cut else ""
        yield _end(stop.exit_status, cut)


def _parse_scale(text: str) -> Scale:
    try:
        return parse_scale(text)
    except ValueError as error:
        raise CommandError(f"workers: {error} (write 8, 2:8, +1 or -1)") from None


def _end(status: int, text: str, **more: Any) -> Fields:
    """The last line of a story; `status` is the exit status of who asked."""
    return {"done": True, "status": status, "text": text, **more}


def _name(member: Member) -> Fields:
    return {"slot": member.slot, "pid": member.pid}
