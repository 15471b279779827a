"""The keeper: a worker that keeps a program running, which serves in its place.

    start ─► settle ─► ready … ─► the copy leaves with 0  ─► start
                                  it ends otherwise       ─► we end as it did
                                  told to retire          ─► ask it to leave, wait

To the master it is a worker like others, and dies like its program: so back-off,
crash reports, reload and stop are what they are for others.  What the program serves
it does not see.
"""

import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from prefork.errors import ApplicationError
from prefork.monitor.log import Log
from prefork.monitor.scoreboard import WorkerSlot
from prefork.system.channel import Channel, Message
from prefork.system.command import Command
from prefork.system.connections import has_connections
from prefork.system.execution import Execution, execute
from prefork.system.memory import read_rss
from prefork.system.queue import read_queue
from prefork.system.signals import SignalPipe
from prefork.worker.limits import Lifespan
from prefork.worker.output import Output

LOOK_EVERY = 1.0  # seconds between two looks at what the program uses
ASK_EVERY = 0.02  # seconds between two looks whether it is idle, and can be asked
TELL_EVERY = 60.0  # seconds between two lines in the log about copies that left
SHORTEST_LIFE = 0.1  # seconds of a copy that another may follow at once
LEAVE = {signal.SIGTERM, signal.SIGQUIT, signal.SIGINT}
# The master aborts workers that are overdue; the alarm is for when it is gone.
END = {signal.SIGABRT, signal.SIGALRM}
FOREVER = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class CopyDeadlines:
    """How long a copy may take, in seconds."""

    settle: float  # until one that runs is ready
    grace: float  # for one that was asked to leave


class Keeper:
    """Keeps a program running, one copy of it at a time."""

    def __init__(
        self,
        command: Command,
        *,
        listener: socket.socket,
        channel: Channel,
        signals: SignalPipe,
        slot: WorkerSlot,
        lifespan: Lifespan,
        deadlines: CopyDeadlines,
        retire_signal: int,
        log: Log,
        reopen_logs: Callable[[Message], None],
    ) -> None:
        self._command = command
        self._listener = listener
        self._channel = channel
        self._signals = signals
        self._slot = slot
        self._lifespan = lifespan
        self._deadlines = deadlines
        self._retire_signal = retire_signal
        self._log = log
        self._on_message = {
            "open": lambda message: None,  # the program has accepted all along
            "retire": lambda message: self._retire(drain=message.fields["drain"]),
            "reopen": reopen_logs,
        }
        # When to do what, in monotonic seconds.
        self._ready_at = time.monotonic() + deadlines.settle  # tell the master so
        self._look_at = FOREVER  # look at what the copy uses; once it is ready
        self._ask_at = FOREVER  # ask the copy to leave, be it busy or not
        self._tell_at = 0.0  # log that copies have left
        self._left = 0  # copies, in good order, since that was logged
        self._drains = False
        self.is_retiring = False

    def run(self) -> int:
        """Start copies, each after the other, until it is over with the last.

        Returns how that ended, as os.waitstatus_to_exitcode(); raises
        ApplicationError if the program cannot be started any more.
        """
        self._slot.keep(0)
        self._channel.send("settling")
        while True:
            started_at = time.monotonic()
            self._copy = self._start()
            status = self._keep(self._copy)
            lived = time.monotonic() - started_at
            if not self._may_begin_again(status, lived):
                return status
            self._tell_of_leave(time.monotonic(), lived)

    def _start(self) -> Execution:
        command = self._command
        try:
            copy = execute(
                command.file, command.words, listener=self._listener.fileno()
            )
        except OSError as error:
            reason = f"cannot run {command.file}: {error.strerror}"
            raise ApplicationError(reason) from error
        self._slot.keep(copy.pid)
        return copy

    def _may_begin_again(self, status: int, lived: float) -> bool:
        """Has it left in good order, as php-cgi does after some hundred requests?"""
        has_served = self._is_ready and lived >= SHORTEST_LIFE
        return status == 0 and has_served and not self.is_retiring

    def _tell_of_leave(self, now: float, lived: float) -> None:
        """Log it, but not each time: under load php-cgi may leave often."""
        self._left += 1
        if now >= self._tell_at:
            self._log.info("program left", times=self._left, lived=round(lived, 1))
            self._left, self._tell_at = 0, now + TELL_EVERY

    @property
    def _is_ready(self) -> bool:
        return self._ready_at == FOREVER

    # The life of a copy

    def _keep(self, copy: Execution) -> int:
        outputs = {
            "stdout": Output(copy.stdout, self._quote("stdout")),
            "stderr": Output(copy.stderr, self._quote("stderr")),
        }
        # What reads each descriptor; False: there is no more to be read.
        readers: dict[int, Callable[[], bool]] = {
            self._channel.fileno(): self._hear_master,
            self._signals.fileno(): self._hear_signals,
            copy.stdout: outputs["stdout"].read,
            copy.stderr: outputs["stderr"].read,
        }
        poll = select.poll()
        for fd in (copy.fileno(), *readers):
            poll.register(fd, select.POLLIN)
        while copy.fileno() not in (heard := self._wait(poll)):
            for fd in heard:
                if not readers[fd]():
                    poll.unregister(fd)
            self._look_at_clock(time.monotonic())
        return self._reap(copy, outputs.values())

    def _quote(self, stream: str) -> Callable[[str], None]:
        def quote(line: str) -> None:
            self._log.info("program says", stream=stream, line=line)

        return quote

    def _wait(self, poll: select.poll) -> list[int]:
        due = min(self._ready_at, self._look_at, self._ask_at)
        if self._ask_at != FOREVER:
            due = min(due, time.monotonic() + ASK_EVERY)
        seconds = max(0.0, due - time.monotonic())
        milliseconds = None if due == FOREVER else seconds * 1000 + 1
        return [fd for fd, _ in poll.poll(milliseconds)]

    def _reap(self, copy: Execution, outputs: Iterable[Output]) -> int:
        """Log what a copy has written last; returns how it has ended."""
        status = copy.reap()
        self._slot.keep(0)
        for output in outputs:
            output.finish()
        copy.close()
        self._hear_master()  # it may be the end because of what we were told
        return status

    # What is heard

    def _hear_master(self) -> bool:
        for message in self._channel.receive():
            self._on_message[message.kind](message)
        if self._channel.is_closed and not self.is_retiring:
            self._log.warning("lost master", pid=os.getpid())
            signal.setitimer(signal.ITIMER_REAL, self._deadlines.grace)
            self._retire(drain=False)
        return not self._channel.is_closed

    def _hear_signals(self) -> bool:
        signals = set(self._signals.read_signals())
        if signals & END:
            # A connection is all that is known of a request; it is cut now.
            self._slot.report(lobby=0, draining=int(self._is_busy()))
            self._copy.kill_group()
        if signals & LEAVE:
            self._channel.send("leaving")
            self._retire(drain=False)
        return True

    def _retire(self, *, drain: bool) -> None:
        """Ask the copy to leave when it is idle, or when half of the grace is over.

        `drain`: not while connections are queued, which it is to accept first.
        """
        self._drains = drain
        if self.is_retiring:
            return  # it may have been asked already
        self.is_retiring = True
        self._ready_at = self._look_at = FOREVER
        self._ask_at = time.monotonic() + self._deadlines.grace / 2

    # What is due

    def _look_at_clock(self, now: float) -> None:
        if now >= self._ready_at:
            self._ready_at = FOREVER
            self._look_at = now if self._lifespan.is_limited else FOREVER
            self._channel.send("ready")
        if now >= self._look_at:
            self._look_at = now + LOOK_EVERY
            self._check_lifespan(now)
        if self._ask_at == FOREVER:
            return
        if now >= self._ask_at:
            self._ask()
        elif not (self._is_busy() or (self._drains and read_queue(self._listener))):
            self._ask_while_idle()

    def _is_busy(self) -> bool:
        return has_connections(self._copy.pid, self._listener)

    def _ask_while_idle(self) -> None:
        """Have it stand still, so that it cannot accept, and look once more.

        libfcgi takes for an error whatever a signal interrupts: the read(2) of a
        request too, and that is lost.
        """
        if self._copy.pause():
            if not self._is_busy():
                self._ask()
            self._copy.resume()

    def _ask(self) -> None:
        self._ask_at = FOREVER
        self._copy.signal(self._retire_signal)

    def _check_lifespan(self, now: float) -> None:
        """Ask for a replacement when it is time; the copy serves until it is here."""
        rss = read_rss(self._copy.pid)
        if reason := self._lifespan.is_over(requests=0, rss=rss, now=now):
            self._look_at = FOREVER
            self._channel.send("replace", reason=reason)
