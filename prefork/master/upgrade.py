"""Upgrade: become the program that is installed now, and keep everything else.

    CHECK   a child starts the new program, which rehearses to take over
    EXEC    the master becomes it: same pid, same children, same descriptors

Whatever goes wrong in CHECK changes nothing.  Nobody watches during EXEC, some
tenths of a second: who dies then is a zombie until the new program looks, what
workers say waits in their channels, and signals are held back.
"""

import os
import time
from collections.abc import Callable
from enum import Enum

from prefork import __version__
from prefork.errors import EXIT_APPLICATION, EXIT_CONFIG, EXIT_OK, EXIT_REFUSED
from prefork.master.handover import State, descriptors, write_handover
from prefork.master.inquiry import Answer, Inquiry
from prefork.master.reactor import Reactor
from prefork.master.stop import STOPPING
from prefork.monitor.log import Log
from prefork.system.processes import become
from prefork.system.signals import SignalPipe, blocked

ADOPT_MODULE = "prefork.cli.adopt"
TIMEOUT = 30.0  # seconds


class Phase(Enum):
    CHECK = "check"
    EXEC = "exec"


class Upgrade:
    """At most one upgrade at a time, begun when the master allows it.

    `state()` gives what the new program has to know.
    """

    def __init__(
        self, reactor: Reactor, log: Log, *, state: Callable[[], State]
    ) -> None:
        self._reactor = reactor
        self._log = log
        self._state = state
        self._is_wanted = False
        self._reload_after_next = False  # after the one that is wanted
        self._then_reload = False  # after the one that is going on
        self._check: Inquiry | None = None
        self.phase: Phase | None = None  # None: no upgrade is going on
        self.number = 0  # of the last upgrade that was begun
        self.reason = ""  # why that failed; empty: it has not
        self.exit_status = EXIT_OK  # and what `prefork upgrade` makes of it

    def ask(self, *, then_reload: bool = False) -> None:
        """USR2; `then_reload`: have templates and workers run the new program too."""
        self._is_wanted = True
        self._reload_after_next |= then_reload

    @property
    def is_going_on(self) -> bool:
        return self._is_wanted or self.phase is not None

    def advance(self, now: float, signals: SignalPipe, *, is_free: bool) -> None:
        """One step, if the master has nothing else to do that must come to an end.

        Returns from the last one only if it has failed.
        """
        if self.phase is Phase.EXEC and is_free:
            self._exec(signals)
        elif self._check is not None and now >= self._check.deadline:
            self._check.give_up()
        elif self._is_wanted and self.phase is None and is_free:
            self._begin()

    def _begin(self) -> None:
        self._is_wanted = False
        self._then_reload, self._reload_after_next = self._reload_after_next, False
        self.number += 1
        self.reason, self.exit_status = "", EXIT_OK
        self._enter(Phase.CHECK)
        try:
            self._check = self._rehearse(self._state())
        except OSError as error:
            self._fail(f"cannot start a process: {error.strerror}", EXIT_REFUSED)

    def _rehearse(self, state: State) -> Inquiry:
        handover = write_handover(state)
        try:
            return Inquiry(
                ADOPT_MODULE,
                ["--rehearse", str(handover)],
                self._reactor,
                self._checked,
                timeout=TIMEOUT,
                lend=[handover, *descriptors(state)],
            )
        finally:
            os.close(handover)

    def reaped(self, pid: int, code: int) -> bool:
        """One of our children was reaped; False if it was not the check."""
        check = self._check
        if check is None or check.pid != pid:
            return False
        self._check = None
        check.exited(code)
        return True

    def _checked(self, answer: Answer) -> None:
        if answer.code == EXIT_OK:
            self._enter(Phase.EXEC, version=answer.said.strip())
        elif answer.is_overdue:
            reason = f"the new program was not ready in {TIMEOUT:g} s"
            self._fail(reason, EXIT_APPLICATION)
        else:
            is_known = answer.code == EXIT_CONFIG
            self._fail(answer.complaint, EXIT_CONFIG if is_known else EXIT_APPLICATION)

    def _exec(self, signals: SignalPipe) -> None:
        with blocked():
            signals.put_back()
            state = self._state()
            state["left_at"] = time.monotonic()
            # Of an upgrade that was asked for meanwhile only the reload is left to do.
            if self._then_reload or self._reload_after_next:
                state["succession"]["is_wanted"] = True
            try:
                self._become_new_program(state)
            except OSError as error:
                self._fail(f"cannot exec: {error.strerror}", EXIT_REFUSED)

    def _become_new_program(self, state: State) -> None:
        handover = write_handover(state)
        try:
            keep = [handover, *descriptors(state)]
            become(ADOPT_MODULE, [str(handover)], keep=keep)
        finally:
            os.close(handover)

    def stop(self) -> None:
        """There will be no other program."""
        self._is_wanted = False
        self._drop_check()
        if self.phase is not None:
            self._log.info("gave up upgrade", phase=self.phase.value, text=STOPPING)
            self.phase = None

    def undo(self, reason: str, status: int) -> None:
        """Give up, if there is an upgrade: something unforeseen has failed."""
        self._drop_check()
        if self.phase is not None:
            self._fail(reason, status)

    def _drop_check(self) -> None:
        if self._check is not None:
            self._check.give_up()
            self._check.close()
            self._check = None

    def announce(self, state: State) -> None:
        """Say that we are the new program."""
        self._log.info(
            "upgraded master",
            pid=os.getpid(),
            version=__version__,
            before=state["program"],
            seconds=round(time.monotonic() - state["left_at"], 3),
        )

    def _fail(self, reason: str, status: int) -> None:
        failed_in, self.phase = self.phase, None
        self.reason, self.exit_status = reason, status
        phase = failed_in.value if failed_in else ""
        self._log.error(
            "upgrade failed", phase=phase, keeping="old program", text=reason
        )

    def _enter(self, phase: Phase, **fields: object) -> None:
        self.phase = phase
        self._log.info("upgrading", phase=phase.value, **fields)
