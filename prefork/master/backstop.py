"""The backstop: what nobody has foreseen is logged, and the loop goes on.

A reload or an upgrade that is going on is undone, since it is the likeliest reason.
Before a worker has ever been ready there is nothing to lose: the start ends there.
"""

import time
import traceback
from collections.abc import Callable
from types import TracebackType

from prefork.errors import EXIT_REFUSED, PreforkError
from prefork.monitor.log import Log

FIRST_PAUSE = 0.01  # seconds
LONGEST_PAUSE = 1.0
TELL_AGAIN = 60.0  # seconds until the same is logged once more
MOST_AT_A_STOP = 30  # turns that fail one after the other: it would never end


class Backstop:
    """Used as `with backstop:` round each step of a turn; then rest()."""

    def __init__(
        self,
        log: Log,
        *,
        is_needed: Callable[[], bool],
        is_stopping: Callable[[], bool],
        undo: Callable[[str, int], object],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """`undo(reason, exit status)` ends a reload or an upgrade, if there is one."""
        self._log = log
        self._is_needed = is_needed
        self._is_stopping = is_stopping
        self._undo = undo
        self._sleep = sleep
        self._has_failed = False  # in this turn
        self._in_a_row = 0  # turns before it
        self._told = ""
        self._tell_at = 0.0

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception) or not self._is_needed():
            return False
        if self._is_stopping() and self._in_a_row >= MOST_AT_A_STOP:
            return False
        self._has_failed = True
        self._tell(error)
        status = error.exit_status if isinstance(error, PreforkError) else EXIT_REFUSED
        what = traceback.format_exception_only(error)[-1].strip()
        try:
            self._undo(f"the master failed: {what} (the log has the traceback)", status)
        except Exception as another:
            self._tell(another)
        return True

    def _tell(self, error: Exception) -> None:
        text, now = "".join(traceback.format_exception(error)), time.monotonic()
        if text != self._told or now >= self._tell_at:
            self._log.critical("master failed", text=text)
            self._told, self._tell_at = text, now + TELL_AGAIN

    def rest(self) -> None:
        """After a turn: what fails in each of them must not have us spin.

        The only place where the master sleeps; signals wait in their pipe.
        """
        if not self._has_failed:
            self._in_a_row = 0
            return
        self._has_failed = False
        self._sleep(min(LONGEST_PAUSE, FIRST_PAUSE * (1 << min(self._in_a_row, 16))))
        self._in_a_row += 1
