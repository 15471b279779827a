"""How a worker comes to keep a program, and ends as that does."""

import os
import random
import resource
import signal
import time
from typing import NoReturn

from setproctitle import setproctitle

from prefork.system.command import Command
from prefork.system.execution import make_blocking
from prefork.system.signals import CATCHABLE, DUMP_STACKS, SignalPipe, unblock_all
from prefork.worker.birth import IGNORED, WorkerContext
from prefork.worker.keeper import END, LEAVE, CopyDeadlines, Keeper
from prefork.worker.limits import spread_lifespan


def keep(context: WorkerContext, command: Command) -> None:
    """Keep the program running; returns when that has retired in good order.

    Ends the process as the program has ended, if that was otherwise.
    """
    settings = context.settings
    _, listener = context.listeners[0]
    make_blocking(listener)
    signals = SignalPipe((*LEAVE, *END, *IGNORED, DUMP_STACKS))
    setproctitle(
        f"prefork: worker {context.slot} gen {context.generation} [{settings.title}]"
    )
    keeper = Keeper(
        command,
        listener=listener,
        channel=context.channel,
        signals=signals,
        slot=context.scoreboard.worker_slot(context.slot),
        lifespan=spread_lifespan(
            requests=0,
            jitter=0,
            rss=settings.max_rss,
            lifetime=settings.max_lifetime,
            now=time.monotonic(),
            chance=random.SystemRandom().random(),
        ),
        deadlines=CopyDeadlines(
            settle=settings.settle, grace=settings.graceful_timeout
        ),
        retire_signal=signal.Signals[f"SIG{settings.retire_signal}"],
        log=context.log,
        reopen_logs=context.reopen_logs,
    )
    status = keeper.run()
    if not _has_left_as_told(status, keeper, settings.retire_signal):
        _end_like(status)


def _has_left_as_told(status: int, keeper: Keeper, retire_signal: str) -> bool:
    """Has it left because it was to?  Some say so by their exit code, and some know
    nothing of the signal, which ends them."""
    signals = {signal.Signals[f"SIG{retire_signal}"], *LEAVE}
    return keeper.is_retiring and (status >= 0 or -status in signals)


def _end_like(status: int) -> NoReturn:
    """End this process as the program has ended, for the master to see."""
    if status >= 0:
        os._exit(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program has left its own
    if -status in CATCHABLE:
        signal.signal(-status, signal.SIG_DFL)
    unblock_all()
    os.kill(os.getpid(), -status)
    raise AssertionError(f"a signal that ended the program has not ended us: {status}")
